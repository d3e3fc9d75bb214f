"""Folders of small NIfTI files in the layouts of the field."""

import nibabel
import numpy as np
import pytest

SHAPE = (5, 6, 7)


@pytest.fixture
def folder(tmp_path):
    """Write files whose voxels all hold a number, {path: number}, into a new folder; returns it."""

    def write(files, shape=SHAPE):
        for path, value in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(np.full(shape, value, np.int16), np.eye(4)), tmp_path / path)
        return tmp_path

    return write


@pytest.fixture
def value():
    """The number that all voxels of an array share."""

    def unique(array):
        (found,) = np.unique(array)
        return float(found)

    return unique
