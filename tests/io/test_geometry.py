"""What headers leave in doubt about the place of an image is told, or refused."""

import warnings

import nibabel
import numpy as np
import pytest

from skad.io import GeometryWarning, OtherGridWarning, VolumeReadError, read_volume

SHAPE = (7, 8, 9)
AFFINE = np.array([[2.0, 0, 0, -7], [0, 3, 0, -12], [0, 0, 4, -18], [0, 0, 0, 1]])
MIRROR = np.diag([-1.0, 1, 1, 1])


def moved(*mm):
    affine = AFFINE.copy()
    affine[:3, 3] += mm
    return affine


@pytest.fixture
def write(tmp_path, voxels):
    """Write the voxels, or others, with an sform and a qform; None leaves a form's code at 0."""

    def write(name, *, sform=None, qform=None, array=voxels):
        image = nibabel.Nifti1Image(array, AFFINE if sform is None else sform)
        image.set_sform(AFFINE if sform is None else sform, 0 if sform is None else 1)
        image.set_qform(AFFINE if qform is None else qform, 0 if qform is None else 1)
        image.to_filename(tmp_path / name)
        return tmp_path / name

    return write


def test_one_image_without_a_form_is_told(write):
    with pytest.warns(GeometryWarning, match=r"x.nii has neither a qform nor an sform"):
        volume = read_volume({"x": write("x.nii")})
    assert "which side is left" in volume.info["notes"][0]


@pytest.mark.parametrize("known_first", [True, False])
def test_an_image_without_a_form_is_not_laid_onto_one_that_has_it(write, known_first):
    paths = {"a": write("a.nii", sform=AFFINE, qform=AFFINE), "b": write("b.nii")}
    order = ("a", "b") if known_first else ("b", "a")
    with pytest.raises(VolumeReadError, match=r"b.nii has neither .* could be mirrored: copy the geometry"):
        read_volume({name: paths[name] for name in order})


@pytest.mark.filterwarnings("ignore::skad.io.GeometryWarning")
def test_images_that_all_lack_a_form_share_their_voxels(write, voxels):
    volume = read_volume({"a": write("a.nii"), "b": write("b.nii")}, labels=write("l.nii"))
    np.testing.assert_array_equal(volume.contrasts["b"], voxels)
    np.testing.assert_array_equal(volume.labels, voxels)


def test_forms_that_disagree_are_told_in_mm_and_the_sform_is_used(write):
    path = write("x.nii", sform=AFFINE, qform=moved(3, 0, -4))
    with pytest.warns(GeometryWarning, match=r"differs from its sform by 5.0 mm; the sform is used"):
        np.testing.assert_array_equal(read_volume({"x": path}).affine, AFFINE)


def test_forms_that_mirror_each_other_are_refused(write):
    with pytest.raises(VolumeReadError, match=r"x.nii has an sform and a qform that mirror each other"):
        read_volume({"x": write("x.nii", sform=AFFINE, qform=MIRROR @ AFFINE)})


@pytest.mark.parametrize("kind", ["labels", "mask"])
def test_a_mask_drawn_on_the_qform_is_taken_voxel_by_voxel(write, voxels, kind):
    drawn = (voxels > 100).astype(np.uint8)
    image = write("x.nii", sform=AFFINE, qform=moved(8, -10, 9))
    mask = write("m.nii", qform=moved(8, -10, 9), array=drawn)
    with pytest.warns(GeometryWarning, match=r"m.nii lies on the qform of x.nii .* taken voxel by voxel"):
        volume = read_volume({"x": image}, **{kind: mask})
    np.testing.assert_array_equal(getattr(volume, kind), drawn)


def test_an_image_on_another_grid_is_told_with_its_distance(write):
    paths = {"a": write("a.nii", sform=AFFINE), "b": write("b.nii", sform=moved(0, 6, 8))}
    with pytest.warns(OtherGridWarning, match=r"b.nii lies on another grid than a.nii.*up to 10.0 mm apart"):
        read_volume(paths)


def test_a_mask_on_another_grid_is_in_doubt_also_where_contrasts_are_not(write):
    paths = {"a": write("a.nii", sform=AFFINE), "b": write("b.nii", sform=moved(0, 6, 8))}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", OtherGridWarning)
        read_volume(paths, mask=write("m.nii", sform=moved(3, 0, 4)))
    assert [str(each.message) for each in told] == [
        "Subject 'a': m.nii lies on another grid than a.nii, with fields of view up to 5.0 mm apart, and is "
        "resampled onto it as if the patient had not moved."
    ]


def test_an_image_stored_in_another_direction_is_no_doubt(write, voxels):
    flipped = AFFINE @ np.array([[-1.0, 0, 0, SHAPE[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = {"a": write("a.nii", sform=AFFINE), "b": write("b.nii", sform=flipped, array=voxels[::-1])}
        loaded = read_volume(paths).contrasts["b"]
    np.testing.assert_allclose(loaded, voxels, rtol=1e-3, atol=0.1)
