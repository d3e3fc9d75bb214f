"""The translation network: what it may see, what it must not, and the shapes."""

import pytest
import torch

from skad.nn.translation import TranslationNetwork, _ResidualBlock

N, C, H, W = 3, 4, 18, 23  # all differ, and neither side is a multiple of 4


def make_images(height=H, width=W, seed=0):
    images = torch.randn(N, C, height, width, generator=torch.Generator().manual_seed(seed))
    return images, images.flatten(2).median(dim=2).values


def make_network(**parameters):
    torch.manual_seed(0)
    return TranslationNetwork(C, width=4, n_blocks=1, **parameters).eval()


@pytest.mark.parametrize(("height", "width"), [(18, 23), (24, 16), (5, 31), (41, 6), (8, 12)])
def test_the_output_has_the_size_of_the_input(height, width):
    images, medians = make_images(height, width)
    network = make_network()
    assert network(images, medians, torch.tensor([0, 3, 1])).shape == (N, 1, height, width)
    assert network.translate_all(images, medians).shape == images.shape


def test_an_image_too_small_to_reflect_is_an_error_with_its_size():
    with pytest.raises(ValueError, match="at least 5 pixels high and wide, got 4 x 9"):
        make_network().translate_all(*make_images(4, 9))


def test_what_the_target_contrast_holds_cannot_influence_its_translation():
    images, medians = make_images()
    target = torch.tensor([2, 0, 3])
    changed = images.clone()
    changed[torch.arange(N), target] = torch.randn(N, H, W)
    network = make_network()
    assert torch.equal(network(images, medians, target), network(changed, medians, target))


def test_a_missing_target_contrast_is_translated_from_the_others():
    images, medians = make_images()
    expected = make_network().translate_all(images, medians)[:, 1]
    images[:, 1] = torch.nan
    translated = make_network()(images, medians, torch.full((N,), 1))
    assert torch.equal(translated[:, 0], expected)


def test_each_other_contrast_influences_the_translation():
    images, medians = make_images()
    images.requires_grad_()
    make_network()(images, medians, torch.tensor([1, 1, 1])).square().sum().backward()
    reached = images.grad.abs().sum(dim=(0, 2, 3)) > 0
    assert reached.tolist() == [True, False, True, True]


def test_translate_all_is_one_target_after_the_other():
    images, medians = make_images()
    network = make_network()
    one_by_one = [network(images, medians, torch.full((N,), target)) for target in range(C)]
    torch.testing.assert_close(network.translate_all(images, medians), torch.cat(one_by_one, dim=1))


def make_series(seed=0):
    """Slices with their neighbors, and the medians of the slices."""
    series = torch.randn(N, 3, C, H, W, generator=torch.Generator().manual_seed(seed))
    return series, series[:, 0].flatten(2).median(dim=2).values


def test_without_weights_on_the_neighbors_they_change_nothing():
    series, medians = make_series()
    plain, network = make_network(), make_network(neighbors=True)
    weights = plain.state_dict()
    first = torch.zeros(4, 3 * C, 9, 9)
    first[:, :C] = weights["body.0.weight"]
    network.load_state_dict({**weights, "body.0.weight": first})
    expected = plain.translate_all(series[:, 0], medians)
    torch.testing.assert_close(network.translate_all(series, medians), expected)


def test_what_the_target_contrast_of_a_neighbor_holds_is_not_looked_at():
    series, medians = make_series()
    target = torch.tensor([2, 0, 3])
    changed = series.clone()
    changed[torch.arange(N), :, target] = torch.nan
    network = make_network(neighbors=True)
    assert torch.equal(network(series, medians, target), network(changed, medians, target))


def test_the_other_contrasts_of_all_three_slices_influence_the_translation():
    series, medians = make_series()
    series.requires_grad_()
    make_network(neighbors=True)(series, medians, torch.tensor([1, 1, 1])).square().sum().backward()
    reached = series.grad.abs().sum(dim=(0, 3, 4)) > 0
    assert reached.tolist() == [[True, False, True, True]] * 3


def test_a_slice_without_neighbors_is_its_own():
    images, medians = make_images()
    network = make_network(neighbors=True)
    expected = network.translate_all(torch.stack([images] * 3, dim=1), medians)
    assert torch.equal(network.translate_all(images, medians), expected)


def test_a_network_without_neighbors_looks_at_the_slice_alone():
    series, medians = make_series()
    network = make_network()
    expected = network.translate_all(series[:, 0], medians)
    assert torch.equal(network.translate_all(series, medians), expected)


def test_the_place_of_the_median_chooses_the_contrast():
    images, medians = make_images()
    translated = make_network().translate_all(images, torch.zeros_like(medians))
    assert not torch.allclose(translated[:, 0], translated[:, 1])


def without_median_in_the_last_layer(network):
    with torch.no_grad():
        network.head.weight[:, -1] = 0
    return network


def test_the_median_enters_the_first_layer():
    images, medians = make_images()
    network = without_median_in_the_last_layer(make_network())
    translated = network.translate_all(images, medians)
    difference = network.translate_all(images, medians + 1) - translated
    assert difference.abs().mean() > 0.1 * translated.std()


def test_instance_normalization_would_lose_the_median_of_the_first_layer():
    images, medians = make_images(16, 20)
    network = without_median_in_the_last_layer(make_network(normalization="instance"))
    shifted = network.translate_all(images, medians + 1)
    torch.testing.assert_close(shifted, network.translate_all(images, medians), rtol=1e-3, atol=1e-4)


def test_the_median_enters_the_last_layer():
    images, medians = make_images()
    network = make_network(normalization="instance")
    difference = network.translate_all(images, medians + 1) - network.translate_all(images, medians)
    torch.testing.assert_close(difference.mean(), network.head.weight[:, -1].sum(), rtol=1e-3, atol=1e-4)


def test_one_contrast_may_have_a_median_of_any_value_without_changing_another():
    images, medians = make_images()
    network, other = make_network(), medians.clone()
    other[:, 3] += 100
    target = torch.zeros(N, dtype=torch.long)
    assert torch.equal(network(images, medians, target), network(images, other, target))


def test_gradients_reach_every_parameter_and_the_medians():
    images, medians = make_images()
    network = make_network().train()
    network.translate_all(images, medians.requires_grad_()).square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())
    assert medians.grad.abs().min() > 0


def test_after_training_an_image_does_not_depend_on_its_batch():
    images, medians = make_images()
    network = make_network()
    alone = network.translate_all(images[1:2], medians[1:2])
    torch.testing.assert_close(network.translate_all(images, medians)[1:2], alone)


def test_a_residual_block_adds_either_sign():
    features = torch.randn(N, 8, H, W)
    added = _ResidualBlock(8, torch.nn.BatchNorm2d)(features) - features
    assert added.min() < -0.5 and added.max() > 0.5


def test_the_default_layers_are_those_of_johnson():
    convolutions = [m for m in TranslationNetwork(C).modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [32, 64, 128, *[128] * 10, 64, 32, 1]
    assert [c.kernel_size[0] for c in convolutions] == [9, 3, 3, *[3] * 10, 3, 3, 9]
    assert [c.stride[0] for c in convolutions] == [1, 2, 2, *[1] * 10, 1, 1, 1]
    assert convolutions[0].in_channels == C and convolutions[-1].in_channels == 33
