import nibabel
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skad.preprocessing.reorient import Reorientation

SHAPE = (7, 8, 9)


@st.composite
def affines(draw):
    """Any permutation and flips, voxels of three sizes, tilted by up to 20 degrees about each axis."""
    order = draw(st.permutations(range(3)))
    signs = [draw(st.sampled_from([-1, 1])) for _ in range(3)]
    spacing = [draw(st.floats(0.5, 6)) for _ in range(3)]
    angles = [np.deg2rad(draw(st.floats(-20, 20))) for _ in range(3)]
    affine = np.eye(4)
    affine[:3, :3] = nibabel.eulerangles.euler2mat(*angles) @ (np.eye(3)[:, order] * signs * spacing)
    affine[:3, 3] = draw(st.floats(-100, 100))
    return affine


@given(affines())
def test_inverse_is_exact(affine):
    stored = np.arange(504).reshape(SHAPE)
    step = Reorientation.to_axial(affine)
    np.testing.assert_array_equal(step.inverse(step.forward(stored)), stored)


@given(affines())
def test_slices_run_up_rows_back_and_columns_left(affine):
    step = Reorientation.to_axial(affine)
    axis = [step.forward(np.indices(SHAPE)[k]) for k in range(3)]
    world = np.einsum("ij,j...->i...", affine[:3, :3], np.array(axis, float))
    right, front, up = world
    assert (np.diff(up, axis=0) > 0).all()
    assert (np.diff(front, axis=1) < 0).all()
    assert (np.diff(right, axis=2) < 0).all()


@given(affines())
def test_what_is_known_per_axis_follows_its_axis(affine):
    step = Reorientation.to_axial(affine)
    assert step.along_slices(SHAPE) == step.forward(np.zeros(SHAPE)).shape
