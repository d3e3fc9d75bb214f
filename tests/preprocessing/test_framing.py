import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad.preprocessing.crop import Cropping
from skad.preprocessing.resize import Resizing

lengths = st.tuples(st.integers(1, 30), st.integers(1, 30))


@given(lengths, lengths)
def test_cropping_and_back_keeps_what_was_not_cut(shape, size):
    slices = np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)
    step = Cropping(shape, (1.0, 1.5), size)
    back = step.inverse(step.forward(slices))
    kept = ~np.isnan(back)
    np.testing.assert_array_equal(back[kept], slices[kept])
    assert kept.sum() == 2 * min(shape[0], size[0]) * min(shape[1], size[1])


@given(lengths)
def test_padding_is_undone_exactly(shape):
    slices = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    step = Cropping(shape, (1.0, 1.5), (31, 32))
    np.testing.assert_array_equal(step.inverse(step.forward(slices)), slices)


def test_cropping_keeps_the_center():
    image = np.zeros((1, 9, 12), np.float32)
    image[0, 4, 5:7] = 1
    assert Cropping((9, 12), (1.0, 1.5), (3, 4)).forward(image)[0].tolist() == [
        [0] * 4,
        [0, 1, 1, 0],
        [0] * 4,
    ]


def test_cropping_pads_images_with_background_and_labels_with_normal():
    step = Cropping((2, 3), (1.0, 1.5), (4, 3))
    assert np.isnan(step.forward(np.ones((1, 2, 3), np.float32))[0, [0, 3]]).all()
    assert step.forward_labels(np.ones((1, 2, 3), np.int16))[0, :, 0].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(("row", "cut"), [(4, False), (0, True)])
def test_cropping_tells_whether_it_cuts(row, cut):
    mask = np.zeros((1, 9, 12), bool)
    mask[0, row] = True
    assert Cropping((9, 12), (1.0, 1.5), (3, 12)).cuts(mask) == cut


def test_resizing_to_the_same_size_is_exact():
    slices = np.random.default_rng(0).normal(size=(3, 20, 20)).astype(np.float32)
    assert Resizing((20, 20), (1.875, 1.875), (20, 20)).forward(slices) is slices


@given(lengths, st.tuples(st.floats(0.5, 5), st.floats(0.5, 5)), lengths)
def test_resizing_covers_the_whole_field_of_view(shape, spacing, size):
    step = Resizing(shape, spacing, size)
    back = step.inverse(np.ones((1, *size), np.float32))
    assert back.shape == (1, *shape)
    np.testing.assert_allclose(back, 1, rtol=1e-5)


def test_a_disc_stays_a_disc_when_voxels_are_not_square():
    y, x = (np.arange(40) - 19.5) * 1.0, (np.arange(20) - 9.5) * 3.0
    disc = np.where(np.hypot(y[:, None], x) < 15, np.float32(1), np.float32(np.nan))[None]
    framed = ~np.isnan(Resizing((40, 20), (1.0, 3.0), (64, 64)).forward(disc)[0])
    assert np.ptp(np.flatnonzero(framed.any(axis=0))) == pytest.approx(
        np.ptp(np.flatnonzero(framed.any(axis=1))), abs=3
    )


def test_resizing_shifts_nothing():
    image = np.zeros((1, 31, 41), np.float32)
    image[0, 10:13, 30:33] = 1
    framed = Resizing((31, 41), (1.0, 1.0), (96, 96)).forward(image)[0]
    rows, columns = (np.average(np.arange(96), weights=np.nansum(framed, axis=a)) for a in (1, 0))
    scale = 96 / 41
    assert rows == pytest.approx((11 - 15) * scale + 47.5, abs=0.05)
    assert columns == pytest.approx((31 - 20) * scale + 47.5, abs=0.05)


def test_a_lesion_of_one_pixel_survives_in_its_own_slice():
    labels = np.zeros((3, 40, 40), np.int16)
    labels[1, 16, 7] = 3
    small = Resizing((40, 40), (1.0, 1.0), (10, 10)).forward_labels(labels)
    assert np.argwhere(small == 3).tolist() == [[1, 4, 1]]


def test_an_edge_pixel_averages_foreground_only():
    image = np.full((1, 8, 8), np.nan, np.float32)
    image[0, 2:6, 1:7] = 7
    framed = Resizing((8, 8), (1.0, 1.0), (5, 5)).forward(image)
    np.testing.assert_allclose(framed[~np.isnan(framed)], 7, rtol=1e-6)
