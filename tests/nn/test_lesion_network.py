"""What the network that segments lesions looks at."""

import numpy as np
import pytest
import torch

from skad.nn.lesion_network import LesionNetwork, position_maps


def test_positions_are_standardized_over_the_foreground():
    foreground = torch.zeros(2, 1, 17, 23, dtype=torch.bool)
    foreground[:, :, 3:12, 5:20] = True
    rows, columns, _ = position_maps(foreground)[0]
    inside = foreground[0, 0].numpy()
    places = np.argwhere(inside)
    expected = (places - places.mean(0)) / places.std(0)
    np.testing.assert_allclose(rows[inside].numpy(), expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(columns[inside].numpy(), abs(expected[:, 1]), atol=1e-5)


def test_positions_move_with_the_foreground_and_mirror_with_it():
    foreground = torch.zeros(1, 1, 30, 36, dtype=torch.bool)
    foreground[:, :, 6:14, 7:15] = torch.rand(8, 8) < 0.8
    maps = position_maps(foreground)
    torch.testing.assert_close(position_maps(foreground.roll((3, 5), (2, 3))), maps.roll((3, 5), (2, 3)))
    torch.testing.assert_close(position_maps(foreground.flip(-1)), maps.flip(-1))


def test_there_is_no_position_without_foreground():
    assert not position_maps(torch.zeros(1, 1, 7, 9, dtype=torch.bool)).any()


@pytest.mark.parametrize(
    ("inputs", "n_channels"), [(("image", "reference"), 4), (("conditional", "position"), 5)]
)
def test_channels_come_in_the_order_asked_for(inputs, n_channels):
    network = LesionNetwork(2, inputs, width=4, depth=1)
    pairs, foreground = torch.randn(3, 2, 2, 7, 9), torch.ones(3, 1, 7, 9, dtype=torch.bool)
    channels = network.channels(pairs, foreground)
    assert channels.shape == (3, n_channels, 7, 9)
    if inputs[0] == "image":
        assert torch.equal(channels, pairs.flatten(1, 2))
    else:
        assert torch.equal(channels[:, 2:], position_maps(foreground))
