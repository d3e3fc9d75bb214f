import numpy as np
import pytest

from skad.preprocessing import foreground
from skad.preprocessing.mask import otsu_threshold

SHAPE = (9, 24, 25)


def head(background=0.0):
    """An ellipsoid with a dark hole, two separate specks and a background."""
    z, y, x = np.ogrid[-1:1:9j, -1.3:1.3:24j, -1.3:1.3:25j]
    radius = np.sqrt(z**2 / 4 + y**2 + x**2)
    rng = np.random.default_rng(0)
    image = np.where(radius < 1, 100.0, 0) + background * rng.rayleigh(size=SHAPE)
    image[(radius < 0.3)] = background
    image[4, 0, 0] = 100
    return image, radius < 1


def test_the_given_mask_is_taken_as_it_is():
    given = np.zeros(SHAPE, bool)
    given[2:4] = True
    np.testing.assert_array_equal(foreground([head()[0]], given), given)


def test_asking_for_a_mask_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="has no mask"):
        foreground([head()[0]], None, method="given")


def test_otsu_finds_the_head_fills_its_holes_and_drops_specks():
    image, truth = head(background=3)
    np.testing.assert_array_equal(foreground([image], method="otsu"), truth)


def test_nonzero_is_whatever_any_contrast_shows():
    first, second = np.zeros(SHAPE), np.zeros(SHAPE)
    first[1], second[2] = 5, -5
    assert foreground([first, second], method="nonzero").any(axis=(1, 2)).tolist() == [0, 1, 1, *[0] * 6]


def test_auto_takes_nonzero_when_the_background_is_exactly_zero():
    image = head()[0]
    np.testing.assert_array_equal(foreground([image]), image != 0)


def test_auto_takes_otsu_when_the_background_is_noise():
    image, truth = head(background=3)
    np.testing.assert_array_equal(foreground([image]), truth)


def test_auto_takes_otsu_when_zeros_lie_only_inside():
    image, truth = head(background=3)
    image[:, 8:16, 8:16] = 0
    np.testing.assert_array_equal(foreground([image]), truth)


def test_none_is_everything_that_is_finite():
    image = np.ones(SHAPE)
    image[3] = np.nan
    assert foreground([image, np.ones(SHAPE)], method=None).any(axis=(1, 2)).tolist() == [
        1,
        1,
        1,
        0,
        1,
        1,
        1,
        1,
        1,
    ]


@pytest.mark.parametrize("method", ["given", "nonzero", "otsu", "auto"])
def test_what_one_contrast_did_not_measure_is_never_foreground(method):
    image, other = head()[0], head()[0]
    other[:, :12] = np.nan
    assert not foreground([image, other], np.ones(SHAPE, bool), method=method)[:, :12].any()


def test_otsu_equals_the_best_threshold_by_exhaustion():
    values = np.random.default_rng(0).gamma(2, size=300)
    edges = np.linspace(values.min(), values.max(), 257)[1:-1]

    def within(threshold):
        low, high = values[values <= threshold], values[values > threshold]
        return low.size * low.var() + high.size * high.var()

    best = min(map(within, edges))
    assert within(otsu_threshold(values)) == pytest.approx(best, rel=1e-2)
