"""Structural similarity against its definition, computed pixel by pixel or with scipy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from skad.nn.gaussian_blur import gaussian_blur
from skad.nn.ssim import ssim_map


def _images(seed, shape=(2, 3, 17, 14)):
    generator = np.random.default_rng(seed)
    image = generator.normal(size=shape)
    return image, image + 0.5 * generator.normal(size=shape)


def _window(center, foreground, sigma=1.5, radius=5):
    """Weights of the Gaussian window around a pixel, over the foreground pixels of an 11 x 11 square."""
    rows, columns = np.indices(foreground.shape)
    rows, columns = rows - center[0], columns - center[1]
    near = (abs(rows) <= radius) & (abs(columns) <= radius) & foreground
    weights = near * np.exp(-(rows**2 + columns**2) / (2 * sigma**2))
    return weights / weights.sum()


def _ssim_at(x, y, weights, data_range):
    """Wang et al. 2004, eq. (13), of one pixel of one contrast."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mx, my = (weights * x).sum(), (weights * y).sum()
    vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
    cov = (weights * (x - mx) * (y - my)).sum()
    return (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))


def test_map_is_the_definition_pixel_by_pixel_with_background():
    x, y = _images(0)
    foreground = np.random.default_rng(1).random((2, 1, 17, 14)) < 0.7
    result = ssim_map(
        torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(foreground), data_range=4.0
    ).numpy()
    for n, c, i, j in [(0, 0, 8, 7), (1, 2, 0, 0), (0, 1, 16, 3), (1, 0, 5, 13)]:
        expected = _ssim_at(x[n, c], y[n, c], _window((i, j), foreground[n, 0]), 4.0)
        assert result[n, c, i, j] == pytest.approx(expected, rel=1e-10)


def test_inside_of_a_full_image_is_scipys_gaussian_formula():
    x, y = _images(2)
    full = torch.ones(2, 1, 17, 14, dtype=torch.bool)
    result = ssim_map(torch.from_numpy(x), torch.from_numpy(y), full, data_range=2.0).numpy()

    def mean(values):
        return gaussian_filter(values, sigma=(0, 0, 1.5, 1.5), radius=(0, 0, 5, 5))

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.02**2, 0.06**2
    expected = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    inner = np.s_[:, :, 5:-5, 5:-5]
    np.testing.assert_allclose(result[inner], expected[inner], rtol=1e-9)


def test_data_range_may_differ_between_contrasts():
    x, y = (torch.from_numpy(part) for part in _images(3))
    full = torch.ones(2, 1, 17, 14, dtype=torch.bool)
    ranges = torch.tensor([1.0, 2.0, 5.0])[:, None, None]
    together = ssim_map(x, y, full, data_range=ranges)
    torch.testing.assert_close(together[:, 1:2], ssim_map(x[:, 1:2], y[:, 1:2], full, data_range=2.0))


def test_an_image_is_perfectly_similar_to_itself_even_on_a_large_offset():
    x = torch.randn(1, 2, 12, 9) + 1000
    result = ssim_map(x, x.clone(), torch.ones(1, 1, 12, 9, dtype=torch.bool), data_range=6.0)
    torch.testing.assert_close(result, torch.ones_like(result))


def test_offset_in_float32_agrees_with_float64():
    x, y = (torch.from_numpy(part) + 1000 for part in _images(4))
    full = torch.ones(2, 1, 17, 14, dtype=torch.bool)
    exact = ssim_map(x, y, full, data_range=6.0)
    single = ssim_map(x.float(), y.float(), full, data_range=6.0)
    torch.testing.assert_close(single.double(), exact, rtol=0, atol=1e-3)


def test_background_values_change_nothing():
    x, y = (torch.from_numpy(part) for part in _images(5))
    foreground = torch.rand(2, 1, 17, 14) < 0.6
    other = torch.where(foreground, x, torch.full_like(x, 50.0))
    before, after = (ssim_map(image, y, foreground, data_range=4.0) for image in (x, other))
    torch.testing.assert_close(before * foreground, after * foreground)


def test_gradient_is_that_of_finite_differences():
    x, y = (torch.from_numpy(part) for part in _images(6, (1, 1, 5, 4)))
    foreground = torch.ones(1, 1, 5, 4, dtype=torch.bool)
    foreground[0, 0, 0] = False
    torch.autograd.gradcheck(
        lambda reference: ssim_map(x, reference, foreground, data_range=3.0), y.requires_grad_()
    )


def test_blur_is_scipys_with_zeros_beyond_the_border():
    values = np.random.default_rng(7).normal(size=(2, 3, 9, 12))
    blurred = gaussian_blur(torch.from_numpy(values), sigma=1.2, radius=4)
    expected = gaussian_filter(values, sigma=(0, 0, 1.2, 1.2), radius=(0, 0, 4, 4), mode="constant")
    np.testing.assert_allclose(blurred, expected, rtol=1e-12, atol=1e-14)
