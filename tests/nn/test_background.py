"""NaN background in tensors."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from skad.nn.background import fill_background, foreground_mean, foreground_median, split_background
from skad.utils.estimator_checks.data import make_check_images

BACKGROUND = torch.tensor([-3.0, -4.0])


def batch():
    return torch.from_numpy(make_check_images(5))


def test_nan_becomes_the_background_of_its_contrast():
    filled, foreground = split_background(batch(), BACKGROUND)
    for c in range(2):
        assert torch.equal(filled[:, c][~foreground[:, 0]].unique(), BACKGROUND[c : c + 1])
    assert torch.equal(filled[:, 0][foreground[:, 0]], batch()[:, 0][foreground[:, 0]])


def test_pair_has_the_foreground_of_its_image_even_if_the_reference_fills_the_background():
    images = batch()
    filled, foreground = split_background(
        torch.stack([images, torch.full_like(images, 9.0)], dim=1), BACKGROUND
    )
    outside = ~foreground.expand(-1, 2, -1, -1)
    assert filled[:, 1][outside].max() == BACKGROUND.max()


def test_missing_contrast_is_filled_inside_the_foreground():
    images = batch()
    images[0, 1] = torch.nan
    filled, foreground = split_background(images, BACKGROUND)
    assert (filled[0, 1] == BACKGROUND[1]).all()
    assert torch.equal(foreground[0, 0], ~images[0, 0].isnan())


def test_fill_leaves_the_foreground_alone():
    images, foreground = torch.randn(2, 2, 3, 4), torch.rand(2, 1, 3, 4) > 0.5
    filled = fill_background(images, foreground, BACKGROUND)
    assert torch.equal(filled[foreground.expand_as(images)], images[foreground.expand_as(images)])


def test_mean_is_over_foreground_pixels_of_the_batch():
    images = batch()
    filled, foreground = split_background(images, BACKGROUND)
    assert_allclose(foreground_mean(filled, foreground), np.nanmean(images.numpy()), rtol=1e-5)


def test_mean_of_no_foreground_is_zero():
    assert foreground_mean(torch.ones(1, 2, 3, 4), torch.zeros(1, 1, 3, 4, dtype=torch.bool)) == 0


def test_median_is_the_lower_median_of_the_foreground_and_zero_without():
    images = batch()
    median = foreground_median(*split_background(images, BACKGROUND)).numpy()
    for i, c in np.ndindex(5, 2):
        values = np.sort(images[i, c][~images[i, c].isnan()].numpy())
        assert median[i, c] == (values[(len(values) - 1) // 2] if len(values) else 0)
