import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from skad.preprocessing.intensity import robust_range, zscore

scales, shifts = st.floats(0.01, 100), st.floats(-1000, 1000)
voxels = np.random.default_rng(0).gamma(3, size=5000)


def test_zscore_equals_scipys():
    np.testing.assert_allclose(zscore(voxels).forward(voxels), stats.zscore(voxels), atol=1e-6)


def test_zscore_goes_on_beyond_what_it_saw():
    np.testing.assert_allclose(
        zscore(voxels).forward(np.array([-500.0, 500.0])),
        (np.array([-500, 500]) - voxels.mean()) / voxels.std(),
        rtol=1e-6,
    )


@given(scales, shifts)
@pytest.mark.parametrize("fit", [zscore, robust_range])
def test_the_scanners_scale_and_offset_do_not_matter(fit, scale, shift):
    other = voxels * scale + shift
    np.testing.assert_allclose(fit(other).forward(other), fit(voxels).forward(voxels), atol=1e-4)


@pytest.mark.parametrize("fit", [zscore, robust_range])
def test_inverse_gives_scanner_units(fit):
    inside = voxels[(voxels > np.quantile(voxels, 0.01)) & (voxels < np.quantile(voxels, 0.99))]
    step = fit(voxels)
    np.testing.assert_allclose(step.inverse(step.forward(inside)), inside, rtol=1e-5)


def test_range_puts_ninety_nine_percent_strictly_inside():
    mapped = robust_range(voxels).forward(voxels)
    assert (mapped.min(), mapped.max()) == (-1, 1)
    assert np.mean(np.abs(mapped) < 1) == pytest.approx(0.99, abs=1e-3)


def test_range_of_a_nearly_constant_image_uses_all_of_it():
    image = np.zeros(5000)
    image[0] = 3
    assert np.unique(robust_range(image).forward(image)).tolist() == [-1, 1]


@pytest.mark.parametrize("fit", [zscore, robust_range])
def test_a_constant_image_is_an_error(fit):
    with pytest.raises(ValueError, match="is constant in the foreground"):
        fit(np.full(100, 7.0))
