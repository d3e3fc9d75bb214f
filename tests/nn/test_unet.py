"""The U-Net: any size, context, digits."""

import pytest
import torch

from skad.nn.unet import UNet


@pytest.mark.parametrize("size", [(16, 16), (13, 10), (1, 7), (3, 2)])
@pytest.mark.parametrize("depth", [0, 1, 4])
def test_output_has_the_size_of_the_image(size, depth):
    assert UNet(3, 2, width=4, depth=depth).eval()(torch.randn(2, 3, *size)).shape == (2, 2, *size)


def test_every_level_halves_the_resolution():
    network = UNet(1, 1, width=4, depth=3).eval()
    sizes = []
    for block in network.down:
        block.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    network(torch.randn(1, 1, 24, 40))
    assert sizes == [(4, 24, 40), (8, 12, 20), (16, 6, 10), (32, 3, 5)]


def test_coarse_levels_stop_widening_at_eight_times_the_first():
    last = UNet(1, 1, width=4, depth=5).eval().down[-1]
    assert last(torch.randn(1, 32, 4, 4)).shape[1] == 32


def test_a_depth_more_lets_a_pixel_see_farther():
    torch.manual_seed(0)
    reach = [_reach(UNet(1, 1, width=4, depth=depth).eval()) for depth in (1, 2, 3)]
    assert reach[0] < reach[1] < reach[2]


def _reach(network):
    """Distance of the farthest input pixel that the center's output depends on, without normalization."""
    for block in [*network.down, *network.up]:
        block[1], block[4] = torch.nn.Identity(), torch.nn.Identity()
    image = torch.randn(1, 1, 129, 5, requires_grad=True)
    network(image)[0, 0, 64, 2].backward()
    return (torch.nonzero(image.grad[0, 0].abs().sum(1)).flatten() - 64).abs().max()


def test_a_slice_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    network, images = UNet(2, 1, width=4, depth=2), torch.randn(3, 2, 12, 9)
    network(images)
    network.eval()
    torch.testing.assert_close(network(images)[1:2], network(images[1:2]))


def test_output_is_the_last_layer_of_the_features():
    torch.manual_seed(0)
    network, images = UNet(2, 3, width=4, depth=1), torch.randn(1, 2, 6, 5)
    features = network.features(images)
    expected = torch.einsum("of,nfhw->nohw", network.head.weight[:, :, 0, 0], features)
    torch.testing.assert_close(network(images), expected + network.head.bias[:, None, None])


def test_bf16_autocast_leaves_an_output_of_float32():
    torch.manual_seed(0)
    network, images = UNet(2, 1, width=8, depth=1), torch.randn(2, 2, 32, 24)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(images)
    assert output.dtype == torch.float32
    assert len(output.unique()) > len(output.bfloat16().unique())


def test_every_parameter_has_a_gradient():
    network = UNet(2, 1, width=4, depth=3)
    network(torch.randn(2, 2, 17, 11)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
