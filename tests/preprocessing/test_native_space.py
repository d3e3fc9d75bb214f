"""A block planted in a volume comes back where it was, however the volume lies in the scanner."""

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skad.io import Volume, read_volume
from skad.preprocessing import VolumePreprocessor

SHAPE = (20, 22, 18)
SETTINGS = {
    "as it is": {"size": (32, 30)},
    "smaller": {"size": (16, 15)},
    "finer voxels": {"voxel_size": 1.0, "size": (80, 80)},
    "coarser voxels": {"voxel_size": (2.0, 2.0, 3.0), "size": (40, 40)},
    "cropped": {"size_mode": "crop", "size": (40, 40)},
}


@st.composite
def affines(draw):
    """Any permutation and flips, voxels of three sizes, tilted by up to 20 degrees about each axis."""
    order = draw(st.permutations(range(3)))
    signs = [draw(st.sampled_from([-1, 1])) for _ in range(3)]
    spacing = [draw(st.sampled_from([1.0, 1.5, 2.0, 3.0])) for _ in range(3)]
    angles = [np.deg2rad(draw(st.floats(-20, 20))) for _ in range(3)]
    affine = np.eye(4)
    affine[:3, :3] = nibabel.eulerangles.euler2mat(*angles) @ (np.eye(3)[:, order] * signs * spacing)
    affine[:3, 3] = draw(st.floats(-100, 100))
    return affine


def planted(corner):
    """A noisy brain in a background of zeros, and a block of 8 x 8 x 8 voxels that stands out."""
    rng = np.random.default_rng(0)
    image, block = np.zeros(SHAPE), np.zeros(SHAPE, bool)
    image[2:-2, 2:-2, 2:-2] = rng.uniform(90, 110, [n - 4 for n in SHAPE])
    block[tuple(slice(c, c + 8) for c in corner)] = True
    image[block] = 200
    return image, block


corners = st.tuples(*[st.integers(3, n - 11) for n in SHAPE])


@settings(max_examples=10)
@pytest.mark.parametrize("kwargs", SETTINGS.values(), ids=SETTINGS.keys())
@given(affine=affines(), corner=corners)
def test_the_largest_value_of_the_map_lies_in_the_planted_block(kwargs, affine, corner):
    image, block = planted(corner)
    prepare = VolumePreprocessor(**kwargs)
    stack = prepare.fit_transform([Volume({"T1w": image}, affine)])
    (native,) = prepare.inverse_transform(stack.X[:, 0], stack)
    assert np.nanmax(native.get_fdata()) == native.get_fdata()[block].max()
    np.testing.assert_array_equal(native.affine, affine)
    assert native.shape == SHAPE


@settings(max_examples=10)
@given(affine=affines(), corner=corners)
def test_a_block_comes_back_whole_and_alone(affine, corner):
    image, block = planted(corner)
    prepare = VolumePreprocessor(size=(44, 44))
    stack = prepare.fit_transform([Volume({"T1w": image}, affine)])
    (native,) = prepare.inverse_transform(stack.X[:, 0], stack)
    scores = native.get_fdata()
    threshold = np.nanmean([scores[block].mean(), np.nanmean(scores[~block & (image > 0)])])
    dice = 2 * (block & (scores > threshold)).sum() / (block.sum() + (scores > threshold).sum())
    assert dice > 0.85


@settings(max_examples=10)
@given(affine=affines())
def test_without_interpolation_the_way_back_is_exact(affine):
    image, _ = planted((4, 5, 6))
    prepare = VolumePreprocessor(size=(30, 31), size_mode="crop")
    stack = prepare.fit_transform([Volume({"T1w": image}, affine)])
    (native,) = prepare.inverse_transform(stack.X[:, 0], stack)
    inside = image[image > 0]
    expected = np.where(image > 0, (image - inside.mean()) / inside.std(), np.nan)
    np.testing.assert_allclose(native.get_fdata(), expected, atol=1e-5)


@settings(max_examples=10)
@given(affine=affines(), kwargs=st.sampled_from(list(SETTINGS.values())))
def test_every_foreground_voxel_gets_a_value_and_no_other_does(affine, kwargs):
    image, _ = planted((4, 5, 6))
    prepare = VolumePreprocessor(**kwargs)
    stack = prepare.fit_transform([Volume({"T1w": image}, affine)])
    maps = np.where(np.isnan(stack.X[:, 0]), np.float32(np.nan), np.float32(1))
    (native,) = prepare.inverse_transform(maps, stack)
    np.testing.assert_array_equal(~np.isnan(native.get_fdata()), image > 0)


@pytest.mark.parametrize("codes", [(1, 0), (0, 2), (1, 3)])
def test_codes_and_units_of_the_file_are_those_of_the_map(tmp_path, codes):
    image = nibabel.Nifti1Image(planted((4, 5, 6))[0].astype(np.int16), np.diag([-2.0, 2, 4, 1]))
    image.set_qform(image.affine, codes[0])
    image.set_sform(image.affine, codes[1])
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "T1w.nii.gz")
    prepare = VolumePreprocessor(size=(16, 16))
    stack = prepare.fit_transform([read_volume({"T1w": tmp_path / "T1w.nii.gz"})])
    header = prepare.inverse_transform(stack.X[:, 0], stack)[0].header
    assert (int(header["qform_code"]), int(header["sform_code"])) == codes
    assert header.get_xyzt_units() == ("mm", "sec")
