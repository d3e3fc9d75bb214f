import struct

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from skad.io import GeometryWarning, Volume, VolumeReadError, read_volume
from skad.io.labels import keep_components, label_components, whole_numbers
from skad.io.regrid import RegriddedLabels
from skad.io.sources import InMemory

CORNERS = np.ones((3, 3, 3))
EDGE = (2.8, 3.2, 3.6)


def scaled(path, slope, intercept=0.0):
    content = bytearray(path.read_bytes())
    struct.pack_into("<ff", content, 112, slope, intercept)
    path.write_bytes(content)
    return path


def test_labels_scaled_in_the_header_are_whole_numbers_again(save, voxels):
    drawn = (voxels > 100).astype(np.uint8)
    path = scaled(save("l.nii", drawn * 255), 1 / 255)
    np.testing.assert_array_equal(read_volume({"x": save("x.nii", voxels)}, labels=path).labels, drawn)


def test_float_labels_saved_as_scaled_integers_are_read(save, voxels, tmp_path):
    image = nibabel.Nifti1Image(3.0 * (voxels > 100), np.diag([2.0, 3, 4, 1]))
    image.set_data_dtype(np.int16)
    image.to_filename(tmp_path / "l.nii")
    labels = read_volume({"x": save("x.nii", voxels)}, labels=tmp_path / "l.nii").labels
    np.testing.assert_array_equal(labels, 3 * (voxels > 100))


@pytest.mark.parametrize("value", [0.998, 1.002, -0.002, 32768, 1e300])
def test_what_is_off_by_more_than_rounding_is_no_label(value):
    with pytest.raises(VolumeReadError, match="x should hold whole numbers"):
        whole_numbers(np.array([0.0, value]), "x")


def test_components_are_those_of_scipy_class_by_class():
    labels = np.random.default_rng(0).integers(0, 3, (7, 8, 9)) * (
        np.random.default_rng(1).random((7, 8, 9)) < 0.2
    )
    components, classes = label_components(labels)
    np.testing.assert_array_equal(classes[components], labels)
    n_expected = sum(ndimage.label(labels == k, CORNERS)[1] for k in (1, 2))
    assert len(classes) - 1 == n_expected == len(np.unique(components)) - 1


def on_grid(labels, edge, shape):
    """Labels with voxels of 1 mm on a coarser grid, whose first voxel begins where theirs does."""
    affine = np.diag([*edge, 1.0])
    affine[:3, 3] = (np.array(edge) - 1) / 2
    return RegriddedLabels(InMemory(labels, "labels"), affine, shape).load()


def test_a_lesion_between_thick_slices_keeps_a_voxel():
    labels = np.zeros((12, 14, 33), np.uint8)
    labels[4:8, 4:8, 11:15] = 1  # 64 mm3, between the centers of slices at 8 and 19 mm
    coarse = on_grid(labels, (1, 1, 11), (12, 14, 3))
    assert np.argwhere(coarse)[:, 2].tolist() == [1]


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_every_component_of_every_class_survives(seed, n_lesions):
    rng = np.random.default_rng(seed)
    labels = np.zeros((14, 16, 18), np.uint8)
    for at in rng.permutation([(x, y, z) for x in (2, 10) for y in (2, 10) for z in (2, 10)])[:n_lesions]:
        labels[tuple(slice(a, a + rng.integers(1, 3)) for a in at)] = rng.integers(1, 3)
    coarse = on_grid(labels, EDGE, (5, 5, 5))
    for k in (1, 2):
        found, n_found = ndimage.label(labels == k, CORNERS)
        for number in range(1, n_found + 1):
            within = ((np.argwhere(found == number) + 0.5) // EDGE).astype(int)
            assert (coarse[tuple(within.T)] == k).any()


def test_a_lesion_that_finds_no_voxel_is_told(save, voxels):
    labels = np.zeros((7, 8, 18), np.uint8)
    labels[3, 3, 17] = labels[3, 3, 3] = 1  # the first lies above the image
    affine = np.diag([2.0, 3, 4, 1])
    affine[2, 3] = 4
    drawn = save("l.nii", labels, affine)
    with pytest.warns(GeometryWarning, match="l.nii lies on another grid"):
        volume = read_volume({"x": save("x.nii", voxels)}, labels=drawn)
    with pytest.warns(GeometryWarning, match=r"l.nii: 1 of 2 lesions have no voxel"):
        assert volume.labels.sum() == 1


def test_two_lesions_that_share_a_voxel_keep_one_and_the_other_is_named():
    components = np.array([1, 2])
    resampled = np.zeros(1, int)
    without = keep_components(resampled, components, 2, lambda at: at * 0)
    assert (resampled.tolist(), without) == ([1], [2])


def test_an_islet_inside_another_lesion_gets_a_voxel_of_it():
    labels = np.full((6, 6, 6), 2, np.uint8)
    labels[3, 3, 3] = 1
    coarse = on_grid(labels, (2, 2, 2), (3, 3, 3))
    assert np.argwhere(coarse == 1).tolist() == [[1, 1, 1]] and (coarse == 2).sum() == 26


def test_labels_in_memory_follow_the_same_rule():
    labels = np.full((7, 8, 9), np.float32(1 / 255) * np.float32(255))
    assert Volume({"x": np.ones((7, 8, 9))}, np.eye(4), labels=labels).labels.max() == 1
