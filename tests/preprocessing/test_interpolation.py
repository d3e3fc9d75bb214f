import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad.preprocessing.interpolation import interpolate, linear_weights, nearest, resample_labels

sizes = st.integers(1, 40)


@given(sizes, sizes, st.floats(0.1, 5), st.floats(-3, 40))
def test_weights_sum_to_one_or_to_zero_beyond_the_samples(n_in, n_out, step, start):
    weights = linear_weights(n_in, n_out, step, start).toarray()
    positions = start + step * np.arange(n_out)
    beyond = (positions < -0.501) | (positions > n_in - 0.499)
    total = weights.sum(axis=1)
    assert (weights >= 0).all()
    np.testing.assert_allclose(total[~beyond & (total > 0)], 1, atol=1e-6)
    assert not total[beyond].any()


def test_finer_samples_equal_numpys_linear_interpolation():
    values = np.random.default_rng(0).normal(size=9).astype(np.float32)
    weights = linear_weights(9, 30, 0.25, 0.3)
    np.testing.assert_allclose(
        interpolate(values, [weights]), np.interp(0.3 + 0.25 * np.arange(30), range(9), values), rtol=1e-5
    )


def test_halving_averages_pairs_and_their_neighbors():
    values = np.array([0, 0, 0, 8, 0, 0, 0, 0], np.float32)  # a triangle two samples wide: 1/8, 3/8, 3/8, 1/8
    np.testing.assert_allclose(interpolate(values, [linear_weights(8, 4, 2.0, 0.5)]), [0, 3, 1, 0])


def test_the_last_bit_of_a_ratio_of_spacings_does_not_blur():
    values = np.random.default_rng(0).normal(size=(5, 128)).astype(np.float32)
    weights = linear_weights(128, 128, 1 + 1e-12, -1e-11)
    np.testing.assert_array_equal(interpolate(values, [None, weights]), values)


def test_background_neither_spreads_nor_leaks():
    values = np.array([np.nan, np.nan, 5, 5, 5, 5], np.float32)
    result = interpolate(values, [linear_weights(6, 12, 0.5, -0.25)])
    assert np.isnan(result[:3]).all()
    np.testing.assert_allclose(result[4:], 5)


def test_nearest_takes_the_closest_label_and_zero_beyond():
    labels = np.array([1, 2, 3])
    assert nearest(labels, [linear_weights(3, 7, 0.5, -0.9)]).tolist() == [0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("place", [(0, 0), (5, 4), (15, 10)])
def test_a_class_of_one_pixel_survives_at_its_place(place):
    labels = np.zeros((16, 11), int)
    labels[place] = 4
    weights = [linear_weights(16, 4, 4.0, 1.5), linear_weights(11, 3, 4.0, 1.0)]
    small = resample_labels(labels, weights)
    assert [tuple(index) for index in np.argwhere(small == 4)] == [
        (place[0] // 4, min(2, (place[1] + 1) // 4))
    ]


def test_each_lesion_of_a_class_survives_not_only_one():
    labels = np.zeros((16, 11), int)
    labels[0, 0] = labels[5, 4] = labels[15, 10] = 1  # none is nearest to the center of a new pixel
    weights = [linear_weights(16, 4, 4.0, 1.5), linear_weights(11, 3, 4.0, 1.0)]
    assert not nearest(labels, weights).any()
    assert np.argwhere(resample_labels(labels, weights)).tolist() == [[0, 0], [1, 1], [3, 2]]


def test_labels_that_all_survive_are_those_of_the_nearest_sample():
    labels = np.zeros((16, 11), np.int16)
    labels[2:9, 3:9], labels[11:15, 1:6] = 1, 2
    weights = [linear_weights(16, 8, 2.0, 0.5), None]
    np.testing.assert_array_equal(resample_labels(labels, weights), nearest(labels, weights))
    assert resample_labels(labels, weights).dtype == np.int16


def test_lesions_that_have_to_share_a_pixel_are_told():
    labels = np.array([1, 0, 2, 0])
    with pytest.warns(UserWarning, match="1 lesions of a volume have no voxel of their own"):
        assert resample_labels(labels, [linear_weights(4, 1, 4.0, 1.5)]).tolist() == [1]
