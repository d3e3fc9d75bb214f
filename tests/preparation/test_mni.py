"""Patients in the template's space, against the template itself moved by a known affine."""

from importlib.util import find_spec

import numpy as np
import pytest

from skad.io import Volume
from skad.preparation import BiasCorrect, CoRegister, RegisterToMNI
from skad.preparation.template import load_template, template_grid

needs_simpleitk = pytest.mark.skipif(
    find_spec("SimpleITK") is None, reason="needs SimpleITK: pip install 'skad[prepare]'"
)
MOTION = np.array([[1.05, 0.1, 0, 12], [-0.1, 0.95, 0.05, -20], [0, -0.05, 1.0, 9], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def patient():
    """The template's brain on a coarser grid, moved by a known affine."""
    image, mask, affine = load_template()
    coarse = np.s_[::2, ::2, ::2]
    placed = MOTION @ affine @ np.diag([2.0, 2, 2, 1])
    return Volume({"T1w": image[coarse]}, placed, mask=mask[coarse], subject="sub-01")


def test_the_grid_covers_the_template_at_any_voxel_size():
    _, mask, affine = load_template()
    for size in (1.0, 3.0):
        shape, placed = template_grid(size)
        first, last = placed @ [-0.5, -0.5, -0.5, 1], placed @ [*(np.array(shape) - 0.5), 1]
        np.testing.assert_allclose(first, affine @ [-0.5, -0.5, -0.5, 1])
        assert (np.abs(last - affine @ [*(np.array(mask.shape) - 0.5), 1]) < size)[:3].all()


@needs_simpleitk
def test_a_moved_template_comes_back_to_where_it_was(patient):
    (moved,) = RegisterToMNI(voxel_size=4.0).fit_transform([patient])
    _, expected, affine = load_template()
    indices = np.linalg.solve(affine, moved.affine) @ np.vstack(
        [np.indices(moved.shape).reshape(3, -1), np.ones(moved.mask.size)]
    )
    inside = np.clip(indices[:3].round().astype(int).T, 0, np.array(expected.shape) - 1)
    expected = expected[tuple(inside.T)].reshape(moved.shape)
    dice = 2 * (moved.mask & expected).sum() / (moved.mask.sum() + expected.sum())
    assert dice > 0.95


@needs_simpleitk
def test_maps_come_back_on_the_grid_that_was_scanned(patient):
    step = RegisterToMNI(voxel_size=4.0)
    (moved,) = step.fit_transform([patient])
    (maps,) = step.inverse_transform([moved.contrasts["T1w"]], [moved])
    np.testing.assert_allclose(maps["T1w"].affine, patient.affine)
    back, original = maps["T1w"].get_fdata(), patient.contrasts["T1w"]
    known = np.isfinite(back) & patient.mask
    assert known.sum() > 0.98 * patient.mask.sum()
    assert np.corrcoef(back[known], original[known])[0, 1] > 0.9


def test_a_volume_without_a_brain_mask_is_refused():
    volume = Volume({"T1w": np.ones((7, 8, 9))}, np.eye(4), subject="sub-01")
    with pytest.raises(ValueError, match="put BrainExtract before RegisterToMNI"):
        RegisterToMNI().fit_transform([volume])


@needs_simpleitk
def test_the_bias_field_comes_last(patient):
    with pytest.raises(ValueError, match="before BiasCorrect"):
        RegisterToMNI().fit_transform(BiasCorrect().fit_transform(CoRegister("T1w").fit_transform([patient])))
