import pickle

import numpy as np
import pytest

from skad.io import Volume, VolumeReadError, read_volume

SHAPE = (7, 8, 9)


def volume(**kwargs):
    images = {"T1w": np.ones(SHAPE), "FLAIR": np.arange(504).reshape(SHAPE)}
    return Volume(images, np.diag([2.0, 3, 4, 1]), **kwargs)


def test_contrasts_are_float32_and_in_the_given_order():
    v = volume()
    assert tuple(v.contrasts) == ("T1w", "FLAIR")
    assert v.contrasts["FLAIR"].dtype == np.float32
    assert v.contrasts["FLAIR"][6, 7, 8] == 503


def test_contrasts_are_read_only():
    v = volume()
    with pytest.raises(TypeError):
        v.contrasts["T2w"] = np.ones(SHAPE)
    with pytest.raises(ValueError):
        Volume({"T1w": np.ones(SHAPE, np.float32)}, np.eye(4)).contrasts["T1w"][0] = 5


def test_shape_and_voxel_size_follow_the_stored_axes():
    assert volume().shape == SHAPE
    assert volume().voxel_size == (2, 3, 4)


def test_labels_and_mask_are_none_when_not_given():
    assert volume().labels is None
    assert volume().mask is None


def test_a_mask_of_probabilities_is_cut_at_one_half():
    mask = np.linspace(0, 1, 504).reshape(SHAPE)
    assert volume(mask=mask).mask.sum() == 252


def test_labels_stored_as_floats_become_integers():
    labels = np.where(np.arange(504).reshape(SHAPE) > 500, 4.0, np.nan)
    assert volume(labels=labels).labels.dtype.kind == "i"
    assert volume(labels=labels).labels.sum() == 12


@pytest.mark.parametrize("value", [0.5, -1, 1e9])
def test_labels_that_are_no_classes_are_refused(value):
    with pytest.raises(VolumeReadError, match=r"labels of subject 'sub-7'.*whole numbers"):
        volume(subject="sub-7", labels=np.full(SHAPE, value)).labels  # noqa: B018


def test_shapes_that_disagree_are_refused_with_both_names():
    with pytest.raises(VolumeReadError, match=r"T1w.*\(7, 8, 9\).*FLAIR.*\(9, 8, 7\)"):
        Volume({"T1w": np.ones(SHAPE), "FLAIR": np.ones(SHAPE[::-1])}, np.eye(4))


@pytest.mark.parametrize("affine", [np.eye(3), np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_an_affine_that_places_nothing_is_refused(affine):
    with pytest.raises(VolumeReadError, match="affine"):
        Volume({"T1w": np.ones(SHAPE)}, affine)


def test_a_volume_without_contrasts_is_refused():
    with pytest.raises(VolumeReadError, match="no contrast"):
        Volume({}, np.eye(4))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_voxel_without_a_mask_is_an_error(bad):
    image = np.ones(SHAPE)
    image[1, 2, 3] = bad
    with pytest.raises(VolumeReadError, match="1 NaN or infinite voxels and there is no mask: give a mask"):
        Volume({"T1w": image}, np.eye(4)).contrasts["T1w"]


def test_a_bad_voxel_matters_only_inside_the_mask():
    image, mask = np.ones(SHAPE), np.zeros(SHAPE, bool)
    image[1, 2, 3] = np.nan
    mask[4:] = True
    assert np.isnan(Volume({"T1w": image}, np.eye(4), mask=mask).contrasts["T1w"]).sum() == 1
    with pytest.raises(VolumeReadError, match="inside the mask"):
        Volume({"T1w": image}, np.eye(4), mask=~mask).contrasts["T1w"]


def test_a_contrast_that_is_nan_everywhere_is_a_missing_one():
    v = Volume({"T1w": np.ones(SHAPE), "FLAIR": np.full(SHAPE, np.nan)}, np.eye(4))
    assert np.isnan(v.contrasts["FLAIR"]).all()


def test_an_unknown_contrast_says_which_there_are():
    with pytest.raises(KeyError, match="T1w, FLAIR"):
        volume().contrasts["T2w"]


def test_looking_at_a_volume_reads_no_voxel(save, voxels):
    v = read_volume({"T1w": save("sub-1_T1w.nii", voxels)}, mask=save("mask.nii", voxels))
    (v.info["paths"]["T1w"], v.shape, len(v.contrasts), "T1w" in v.contrasts, list(v.contrasts), repr(v))
    for path in v.info["paths"].values():
        open(path, "wb").close()  # nothing is left to read, so whatever reads fails
    assert (v.shape, len(v.contrasts), "T1w" in v.contrasts, v.has_mask) == (SHAPE, 1, True, True)
    assert "T1w" in repr(v)
    with pytest.raises(VolumeReadError):
        v.contrasts["T1w"]


def test_voxels_are_read_anew_at_every_access(save, voxels):
    v = read_volume({"T1w": save("T1w.nii", voxels)})
    v.contrasts["T1w"][:] = 0
    np.testing.assert_array_equal(v.contrasts["T1w"], voxels)


def test_pickle_keeps_everything(save, voxels):
    path = save("sub-1_T1w.nii.gz", voxels)
    v = read_volume({"T1w": path, "T2w": None}, labels=path, mask=path, info={"site": "A"})
    copy = pickle.loads(pickle.dumps(v))
    np.testing.assert_array_equal(copy.contrasts["T1w"], voxels)
    np.testing.assert_array_equal(copy.labels, voxels)
    assert (copy.subject, copy.info, repr(copy)) == (v.subject, v.info, repr(v))


def test_a_mistyped_contrast_gets_the_nearest():
    with pytest.raises(KeyError, match="no contrast 'T1'; there are T1w, FLAIR: did you mean T1w"):
        volume().contrasts["T1"]
