"""Deviation from normal slices at the same place."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from skad.nn.atlas_maps import AtlasMaps, share_explained_by_place


def _slices(n=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mean = torch.linspace(-9, 9, 23).expand(1, 17, 23)
    foreground = torch.rand(n, 1, 17, 23, generator=generator) < 0.7
    return torch.randn(n, 1, 17, 23, generator=generator) + mean, foreground


def test_maps_are_deviations_from_smoothed_moments():
    images, foreground = _slices()
    maps = AtlasMaps(1, 17, 23)
    maps.set_slices(images, foreground)
    values, inside = images[:, 0].double().numpy(), foreground[:, 0].numpy()
    blur = {"sigma": 2.0, "radius": 6, "mode": "constant"}
    count, total, square = (
        gaussian_filter((values**power * inside).sum(0), **blur) for power in (0.0, 1.0, 2.0)
    )
    mean, variance = total / count, square / count - (total / count) ** 2
    least = 0.25 * values[inside].var()
    expected = (values[0] - mean) / np.sqrt(np.maximum(variance, least))
    np.testing.assert_allclose(maps(images[:1])[0, 0].numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("shuffled", [False, True])
def test_share_explained_is_high_only_where_slices_agree(shuffled):
    images, _ = _slices()
    everywhere = torch.ones_like(images, dtype=torch.bool)
    if shuffled:
        places = torch.rand(200, 17 * 23).argsort(1)
        images = images.flatten(1).gather(1, places).view_as(images)
    share = share_explained_by_place(images, everywhere)
    variance = images.var(correction=0)
    at_place = images.var(0).mean()
    assert share == pytest.approx(float(1 - at_place / variance), abs=1e-4)
    assert share < 0.05 if shuffled else share > 0.9
