"""Dimension reduction and responsibilities: shapes, and how far each may look."""

import pytest
import torch

from skad.nn.dimension_reduction import DimensionReducer, ResponsibilityNetwork

N, C, H, W = 2, 5, 13, 18  # all differ


def touched(network, channels):
    """Where the output changes when one pixel in the middle of the input does, as a set of (row, column)."""
    images = torch.zeros(1, channels, H, W)
    changed = images.clone()
    changed[:, :, 6, 9] = 50
    difference = (network(changed) - network(images)).abs().amax(dim=(0, 1))
    return {tuple(position) for position in (difference > 0).nonzero().tolist()}


def test_features_and_reconstruction_have_the_size_of_the_image():
    features, reconstruction = DimensionReducer(C)(torch.randn(N, C, H, W))
    assert features.shape == (N, 3, H, W)
    assert reconstruction.shape == (N, C, H, W)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_feature_looks_as_many_pixels_far_as_there_are_convolutions(depth):
    torch.manual_seed(0)
    rows, columns = zip(*touched(DimensionReducer(C, width=8, depth=depth).encoder, C), strict=True)
    assert (min(rows), max(rows)) == (6 - depth, 6 + depth)
    assert (min(columns), max(columns)) == (9 - depth, 9 + depth)


def test_the_decoder_looks_at_one_pixel():
    torch.manual_seed(0)
    assert touched(DimensionReducer(C).decoder, 3) == {(6, 9)}


def test_the_last_layers_are_linear():
    reducer = DimensionReducer(C, depth=1, decoder_depth=1)
    for network, channels in ((reducer.encoder, C), (reducer.decoder, 3)):
        one, other = torch.randn(2, 1, channels, H, W)
        torch.testing.assert_close(network(one) + network(other), network(one + other) + network(0 * one))


def test_responsibilities_are_probabilities():
    responsibilities = ResponsibilityNetwork(7, 4)(10 * torch.randn(50, 7))
    assert responsibilities.shape == (50, 4) and (responsibilities >= 0).all()
    torch.testing.assert_close(responsibilities.sum(dim=1), torch.ones(50))


def test_responsibilities_are_the_1x1_convolutions_of_the_paper():
    network = ResponsibilityNetwork(C, 4)
    images = torch.randn(N, C, H, W)
    first, last = network[0], network[2]
    hidden = torch.nn.functional.conv2d(images, first.weight[:, :, None, None], first.bias).tanh()
    expected = torch.nn.functional.conv2d(hidden, last.weight[:, :, None, None], last.bias).softmax(dim=1)
    torch.testing.assert_close(network(images.movedim(1, -1)).movedim(-1, 1), expected)


def test_the_reconstruction_sees_the_image_through_the_features_only():
    reducer = DimensionReducer(C)
    features, reconstruction = reducer(torch.randn(N, C, H, W))
    assert torch.equal(reducer.decoder(features), reconstruction)


def test_rebuilding_the_image_trains_the_features():
    reducer = DimensionReducer(C)
    reducer(torch.randn(N, C, H, W))[1].square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in reducer.parameters())


def test_gradients_reach_every_parameter():
    reducer, estimator = DimensionReducer(C), ResponsibilityNetwork(3)
    features, reconstruction = reducer(torch.randn(N, C, H, W))
    pixels = features.movedim(1, -1).flatten(0, 2)
    (reconstruction.square().mean() + estimator(pixels).square().mean()).backward()
    assert all(p.grad.abs().max() > 0 for p in [*reducer.parameters(), *estimator.parameters()])
