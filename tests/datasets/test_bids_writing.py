"""Cohorts written as BIDS datasets."""

import json

import numpy as np
import pytest

from skad.datasets import load_bids, make_phantom, write_bids
from skad.io import Volume


@pytest.fixture(scope="module")
def volumes():
    return make_phantom(n_subjects=2, shape=(24, 28, 8), lesion="glioma", random_state=0)


def test_volumes_come_back_as_they_were(volumes, tmp_path):
    write_bids(volumes, tmp_path, name="two phantoms")
    for volume, back in zip(volumes, load_bids(tmp_path), strict=True):
        assert back.subject == f"sub-{volume.subject}"
        for name, image in volume.contrasts.items():
            np.testing.assert_allclose(back.contrasts[name], image, rtol=1e-6)
        np.testing.assert_array_equal(back.labels, volume.labels)
        np.testing.assert_array_equal(back.mask, volume.mask)
        np.testing.assert_allclose(back.affine, volume.affine)


def test_masks_are_a_derivative_of_the_raw_dataset(volumes, tmp_path):
    write_bids(volumes, tmp_path, name="two phantoms")
    masks = tmp_path / "derivatives/masks"
    kinds = [
        json.loads((folder / "dataset_description.json").read_text())["DatasetType"]
        for folder in (tmp_path, masks)
    ]
    assert kinds == ["raw", "derivative"]
    assert not list(tmp_path.glob("sub-*/anat/*label*")) and len(list(masks.glob("sub-*/anat/*"))) == 4


def test_a_volume_without_labels_or_mask_gets_none(tmp_path):
    volume = Volume({"T1w": np.ones((7, 8, 9), np.float32)}, np.eye(4), subject="sub-01")
    write_bids([volume], tmp_path, name="one scan")
    assert not list(tmp_path.rglob("*label*"))
    assert not load_bids(tmp_path)[0].has_labels
