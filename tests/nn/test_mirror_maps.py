"""Difference from the other side of the brain."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from skad.nn.mirror_maps import mirror_maps


def _slice(left, right, *, width=24, offset=0):
    """A brain of 12 columns whose left and right sides have a value each."""
    image, foreground = torch.zeros(1, 1, 9, width), torch.zeros(1, 1, 9, width, dtype=torch.bool)
    foreground[..., 1:8, offset : offset + 12] = True
    image[..., 1:8, offset : offset + 6] = left
    image[..., 1:8, offset + 6 : offset + 12] = right
    return image, foreground


def test_maps_are_the_difference_from_the_smoothed_reflection():
    image = torch.randn(1, 2, 9, 14, generator=torch.Generator().manual_seed(0))
    foreground = torch.zeros(1, 1, 9, 14, dtype=torch.bool)
    foreground[..., 1:8, 2:12] = True  # the centroid is column 6.5
    inside = foreground[0, 0].numpy()
    blur = {"sigma": 2.0, "radius": 6, "mode": "constant"}
    maps = mirror_maps(image, foreground)
    for channel, values in enumerate(image[0].double().numpy()):
        smooth = gaussian_filter(values * inside, **blur) / gaussian_filter(inside * 1.0, **blur)
        expected = np.where(inside, values - smooth[:, ::-1], 0)
        np.testing.assert_allclose(maps[0, channel].numpy(), expected, atol=1e-5)


def test_the_side_is_told_apart_wherever_the_brain_lies():
    for offset in (0, 3, 12):
        image, foreground = _slice(1.0, 3.0, offset=offset)
        maps = mirror_maps(image, foreground)[0, 0, 4, offset : offset + 12]
        assert maps[0] < -1.9 and maps[-1] > 1.9  # far from the border between the sides


def test_a_symmetric_brain_and_an_offset_of_the_scanner_leave_no_difference():
    image, foreground = _slice(2.0, 2.0, offset=5)
    torch.testing.assert_close(mirror_maps(image, foreground), torch.zeros_like(image))
    image, foreground = _slice(1.0, 3.0, offset=5)
    torch.testing.assert_close(mirror_maps(image + 7, foreground), mirror_maps(image, foreground))


def test_where_the_other_side_is_missing_or_background_there_is_nothing_to_compare():
    image, foreground = _slice(1.0, 3.0, offset=4)
    foreground[..., 4, 4:7] = False
    maps = mirror_maps(image, foreground)
    assert (maps[~foreground] == 0).all()
    assert (maps[..., 4, 13:16] == 0).all() and (maps[..., 5, 13:16] != 0).all()
    empty = torch.zeros_like(foreground)
    assert (mirror_maps(image, empty) == 0).all()
