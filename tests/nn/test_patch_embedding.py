import numpy as np
import pytest
import torch

from skad.nn.patch_embedding import PatchEmbedding, embedding_differences, fill_between, pad_for_patches


def trained_looking(n_inputs=1, **params):
    """A network whose batch norms do something."""
    torch.manual_seed(0)
    network = PatchEmbedding(n_inputs, n_hidden=24, n_outputs=5, **params)
    for name, buffer in network.named_buffers():
        if buffer.is_floating_point():
            torch.nn.init.uniform_(buffer, 0.5, 1.5) if "var" in name else torch.nn.init.normal_(buffer)
    for name, parameter in network.named_parameters():
        if "norms" in name:
            torch.nn.init.uniform_(parameter, -0.5, 1.5)
    return network.eval()


def patch_by_patch(network, images, stride):
    """The independent account: numpy reflects, each patch is cut out and goes through the network alone."""
    before, after = (network.patch_size - 1) // 2, network.patch_size // 2
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (before, after), (before, after)), mode="reflect")
    patches = np.lib.stride_tricks.sliding_window_view(padded, (network.patch_size,) * 2, axis=(2, 3))
    patches = torch.from_numpy(np.moveaxis(patches[:, :, ::stride, ::stride], 1, 3).copy())
    with torch.no_grad():
        return network(patches.flatten(0, 2)).view(*patches.shape[:3], -1).movedim(-1, 1)


def dense(network, images, stride, tile_size):
    pairs = torch.stack([images, torch.zeros_like(images)], dim=1)
    shape = [-(-side // stride) for side in images.shape[-2:]]
    whole = torch.full((len(images), 5, *shape), torch.nan)
    zero = patch_by_patch(network, torch.zeros_like(images), stride)
    with torch.no_grad():
        for rows, columns, part in embedding_differences(network, pairs, stride=stride, tile_size=tile_size):
            assert torch.isnan(whole[:, :, rows, columns]).all()
            whole[:, :, rows, columns] = part
    return whole + zero


@pytest.mark.parametrize("tile_size", [256, 10, 7])
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("pooling", ["average", "flatten"])
@pytest.mark.parametrize(
    ("channels", "patch_size", "n_inputs"),
    [
        ((4, 6), 12, 1),
        ((3, 4), 9, 2),
        ((4, 6, 8, 10), 20, 1),
        ((3, 4, 4, 5), 23, 2),
        ((2, 3, 3, 4, 4, 5), 36, 1),
    ],
)
def test_dense_embeddings_equal_those_of_every_patch_alone(
    channels, patch_size, n_inputs, pooling, stride, tile_size
):
    network = trained_looking(n_inputs, channels=channels, patch_size=patch_size, pooling=pooling)
    images = torch.randn(2, n_inputs, 21, 26)
    expected = patch_by_patch(network, images, stride)
    found = dense(network, images, stride, tile_size)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("pooling", ["average", "flatten"])
def test_dense_embeddings_at_the_size_of_the_paper(pooling):
    network = PatchEmbedding(1, pooling=pooling).eval()
    assert [network.n_cells, network.output.out_features] == [5, 256]
    images = torch.randn(1, 1, 17, 18)
    with torch.no_grad():
        found = network.dense(pad_for_patches(images, 32))
    expected = patch_by_patch(network, images, 1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_a_patch_of_a_large_image_knows_nothing_of_its_surroundings():
    network = trained_looking(channels=(3, 4), patch_size=12)
    image = torch.randn(1, 1, 30, 33)
    changed = image.clone()
    changed[..., :9, :] = 7.0
    with torch.no_grad():
        same = (network.dense(image) == network.dense(changed)).all(dim=1)[0]
    assert same[9:].all() and not same[:9].any()


def test_between_the_pixels_looked_at_a_plane_stays_a_plane():
    rows, columns = torch.meshgrid(torch.arange(11.0), torch.arange(14.0), indexing="ij")
    plane = (2 * rows - columns)[None, None]
    found = fill_between(plane[:, :, ::3, ::3], 3, (11, 14))
    torch.testing.assert_close(found[..., :10, :13], plane[..., :10, :13])
    torch.testing.assert_close(found[..., 10:, :], found[..., 9:10, :])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"channels": (4, 8, 16)}, "come in pairs"),
        ({"channels": ()}, "come in pairs"),
        ({"channels": (2, 2, 2, 2), "patch_size": 13}, "leave a pixel after 2 blocks"),
    ],
)
def test_a_network_that_cannot_be_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        PatchEmbedding(1, **params)


def test_an_image_too_small_to_reflect_is_refused():
    with pytest.raises(ValueError, match="at least 17 x 17 pixels, got 16 x 20"):
        pad_for_patches(torch.zeros(1, 1, 16, 20), 32)
