"""Anatomical classes: named, nested, in their place, and cut into slices as they are; also from files."""

from functools import cache

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from skad.datasets import ANATOMY, label_anatomy, load_bids, load_folder, make_phantom
from skad.datasets.phantom import TISSUES
from skad.io import Volume
from skad.preprocessing import VolumePreprocessor

INSIDE = ("brain", "white_matter", "csf", "ventricles", "cerebellum", "brainstem")


@cache
def head():
    return make_phantom(1, shape=(52, 64, 40), lesion="glioma", skull=True, contrasts="T1w", random_state=1)[
        0
    ]


@cache
def labeled_head():
    return label_anatomy([head()])[0]


def of(name):
    return labeled_head().labels == ANATOMY[name]


def center(name):
    """World coordinates of the mean voxel of a class, mm: right, anterior, superior."""
    return nibabel.affines.apply_affine(head().affine, np.argwhere(of(name))).mean(axis=0)


def test_a_head_has_every_class_and_a_stripped_brain_all_but_the_eyes():
    assert set(np.unique(labeled_head().labels)) == set(ANATOMY.values())
    brain = make_phantom(1, shape=(52, 64, 40), lesion=None, contrasts="T1w", random_state=1)
    (brain,) = label_anatomy(brain)
    assert set(np.unique(brain.labels[brain.mask])) == {*ANATOMY.values()} - {ANATOMY["eyes"]}


def test_classes_are_the_tissues_of_the_same_name():
    for name in ("white_matter", "csf", "ventricles", "cerebellum", "brainstem", "eyes"):
        np.testing.assert_array_equal(of(name), head().info["tissues"] == TISSUES[name])
    np.testing.assert_array_equal(of("brain"), head().info["tissues"] == TISSUES["gray_matter"])


def test_all_but_the_labels_stays():
    old, new = head(), labeled_head()
    np.testing.assert_array_equal(new.contrasts["T1w"], old.contrasts["T1w"])
    np.testing.assert_array_equal(new.mask, old.mask)
    np.testing.assert_array_equal(new.affine, old.affine)
    assert new.subject == old.subject and (old.labels > 0).any()


def test_the_brain_encloses_its_parts():
    shell = ndimage.binary_fill_holes(np.isin(labeled_head().labels, [ANATOMY[n] for n in INSIDE]))
    depth = ndimage.distance_transform_edt(shell, sampling=head().voxel_size)
    means = {name: depth[of(name)].mean() for name in INSIDE}
    assert means["ventricles"] > means["white_matter"] > means["brain"] > means["csf"]
    assert not (of("eyes") & shell).any() and head().mask[shell].mean() > 0.99


def test_classes_lie_where_they_are_in_people():
    below = max(center("cerebellum")[2], center("brainstem")[2])
    assert below < min(center("ventricles")[2], center("white_matter")[2]) - 20
    assert center("cerebellum")[1] < center("brainstem")[1] - 15
    assert center("eyes")[1] > center("ventricles")[1] + 60
    assert all(abs(center(name)[0]) < 5 for name in ANATOMY if name != "other")


def test_slices_carry_the_classes_as_they_are():
    size = head().shape[1::-1]
    stack = VolumePreprocessor(size=size, mask="given", size_mode="crop", slices="all").fit_transform(
        [labeled_head()]
    )
    axial = (
        labeled_head().labels[::-1, ::-1].transpose(2, 1, 0)
    )  # rows from the front, columns from the right
    np.testing.assert_array_equal(stack.y, axial)


@pytest.mark.filterwarnings("ignore:.* have no voxel of their own")  # parts of the anatomy, not lesions
def test_resampled_slices_hold_classes_and_nothing_between_them():
    stack = VolumePreprocessor(size=(48, 48), mask="given").fit_transform([labeled_head()])
    assert set(np.unique(stack.y)) == set(ANATOMY.values())
    share = np.mean(stack.y == ANATOMY["white_matter"]) / np.mean(~np.isnan(stack.X))
    assert share == pytest.approx(of("white_matter").sum() / head().mask.sum(), rel=0.1)


def test_a_volume_that_is_no_phantom_is_told():
    with pytest.raises(ValueError, match=r"'sub-9' should be a phantom.*load_bids"):
        label_anatomy([Volume({"T1w": np.ones((8, 8, 8))}, np.eye(4), subject="sub-9")])


@pytest.mark.filterwarnings("ignore:.* have no voxel of their own")  # parts of the anatomy, not lesions
@pytest.mark.parametrize(
    ("path", "load"),
    [
        ("sub-1/anat/sub-1_dseg.nii.gz", lambda root: load_bids(root, labels="dseg")),
        (
            "derivatives/freesurfer/sub-1/anat/sub-1_desc-aseg_dseg.nii.gz",
            lambda root: load_bids(root, labels="aseg"),
        ),
        (
            "sub-1/anat/sub-1_dseg.nii.gz",
            lambda root: load_folder(root, pattern="{subject}/anat/sub-1_{contrast}", labels="dseg"),
        ),
    ],
)
def test_anatomical_labels_come_from_files(tmp_path, path, load):
    anatomy = labeled_head().labels.astype(np.int16)
    files = {"sub-1/anat/sub-1_T1w.nii.gz": head().contrasts["T1w"], path: anatomy}
    for name, voxels in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(voxels, head().affine), tmp_path / name)
    (volume,) = load(tmp_path)
    np.testing.assert_array_equal(volume.labels, anatomy)
    stack = VolumePreprocessor(size=(48, 48)).fit_transform([volume])
    assert set(np.unique(stack.y)) == set(ANATOMY.values())
