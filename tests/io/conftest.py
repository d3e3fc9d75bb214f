"""Small NIfTI files."""

import nibabel
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("no deadline", deadline=None)  # a busy machine is no failure
settings.load_profile("no deadline")

SHAPE = (7, 8, 9)  # unequal, so that swapped axes cannot pass


@pytest.fixture
def voxels():
    return np.random.default_rng(0).integers(1, 200, SHAPE).astype(np.int16)


@pytest.fixture
def save(tmp_path):
    """Write an array as NIfTI and return its path."""

    def write(name, array, affine=None):
        path = tmp_path / name
        nibabel.save(nibabel.Nifti1Image(array, np.diag([2.0, 3, 4, 1]) if affine is None else affine), path)
        return path

    return write
