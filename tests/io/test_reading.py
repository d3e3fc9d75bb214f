import gzip
import struct

import nibabel
import numpy as np
import pytest

from skad.io import VolumeReadError, read_volume

SHAPE = (7, 8, 9)
AFFINE = np.diag([2.0, 3, 4, 1])
other_grid = pytest.mark.filterwarnings("ignore:.*lies on another grid:skad.io.GeometryWarning")


def shifted(*voxels):
    affine = AFFINE.copy()
    affine[:3, 3] = AFFINE[:3, :3] @ voxels
    return affine


def test_voxels_affine_and_subject_come_from_the_files(save, voxels):
    volume = read_volume({"T1w": save("sub-01_T1w.nii.gz", voxels)})
    np.testing.assert_array_equal(volume.contrasts["T1w"], voxels)
    np.testing.assert_array_equal(volume.affine, AFFINE)
    assert volume.subject == "sub-01"


def test_scaled_integers_come_back_in_their_units(tmp_path):
    image = nibabel.Nifti1Image(np.linspace(0, 1, 504).reshape(SHAPE), AFFINE)
    image.set_data_dtype(np.int16)
    nibabel.save(image, tmp_path / "x.nii")
    voxels = read_volume({"x": tmp_path / "x.nii"}).contrasts["x"]
    np.testing.assert_allclose(voxels, image.get_fdata(), atol=1e-4)


def test_a_trailing_axis_of_one_is_dropped(save, voxels):
    assert read_volume({"T1w": save("x.nii", voxels[..., None])}).contrasts["T1w"].shape == SHAPE


def test_one_slice_is_a_volume(save, voxels):
    assert read_volume({"T1w": save("x.nii", voxels[..., :1])}).shape == (7, 8, 1)


def test_a_fourth_axis_is_refused(save, voxels):
    path = save("bold.nii.gz", np.stack([voxels, voxels], axis=-1))
    with pytest.raises(VolumeReadError, match=r"bold.nii.gz should hold one 3-D image.*\(7, 8, 9, 2\)"):
        read_volume({"T1w": path})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(VolumeReadError, match=r"gone.nii.gz does not exist"):
        read_volume({"T1w": tmp_path / "gone.nii.gz"})


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.txt"])
def test_bytes_that_are_not_nifti_are_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"these are not the voxels you are looking for" * 20)
    with pytest.raises(VolumeReadError, match=rf"{name} is not a readable NIfTI file"):
        read_volume({"T1w": tmp_path / name})


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "x.nii.gz").touch()
    with pytest.raises(VolumeReadError, match=r"x.nii.gz"):
        read_volume({"T1w": tmp_path / "x.nii.gz"})


def test_another_image_format_is_named(tmp_path, voxels):
    nibabel.save(nibabel.MGHImage(voxels, AFFINE), tmp_path / "x.mgz")
    with pytest.raises(VolumeReadError, match=r"x.mgz is not a readable NIfTI file .*convert it to .nii.gz"):
        read_volume({"T1w": tmp_path / "x.mgz"})


def test_colors_are_refused(save):
    colors = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(VolumeReadError, match=r"rgb.nii should hold real numbers"):
        read_volume({"T1w": save("rgb.nii", colors)})


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_file_is_named_when_its_voxels_are_read(save, tmp_path, name, kept):
    path = save(name, np.random.default_rng(0).integers(0, 2**15, (40, 41, 42)).astype(np.int16))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(VolumeReadError, match=rf"{name} is damaged"):
        read_volume({"T1w": path}).contrasts["T1w"]


def test_a_flipped_byte_in_a_compressed_file_is_noticed(save, voxels):
    path = save("x.nii.gz", voxels)
    content = bytearray(path.read_bytes())
    content[-8] ^= 0xFF  # the checksum
    path.write_bytes(content)
    with pytest.raises(VolumeReadError, match=r"x.nii.gz is damaged"):
        read_volume({"T1w": path}).contrasts["T1w"]


def test_an_affine_of_nan_is_named(save, voxels, tmp_path):
    content = bytearray(save("x.nii", voxels).read_bytes())
    content[280:284] = struct.pack("<f", float("nan"))  # srow_x[0]
    (tmp_path / "x.nii").write_bytes(content)
    with pytest.raises(VolumeReadError, match=r"x.nii has an affine that is not finite"):
        read_volume({"T1w": tmp_path / "x.nii"})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_in_a_file_are_named_and_a_mask_mends_them(save, value):
    image = np.ones(SHAPE, np.float32)
    image[0] = value
    path, mask = save("x.nii.gz", image), save("mask.nii.gz", (image == 1).astype(np.uint8))
    with pytest.raises(VolumeReadError, match=r"x.nii.gz has 72 NaN or infinite voxels.*give a mask"):
        read_volume({"T1w": path}).contrasts["T1w"]
    assert read_volume({"T1w": path}, mask=mask).contrasts["T1w"][1:].min() == 1


def test_a_file_of_nan_only_is_an_error_and_not_a_missing_contrast(save, voxels):
    path = save("nan.nii", np.full(SHAPE, np.nan, np.float32))
    with pytest.raises(VolumeReadError, match=r"nan.nii"):
        read_volume({"T1w": save("x.nii", voxels), "FLAIR": path}).contrasts["FLAIR"]


def test_none_instead_of_a_path_makes_a_missing_contrast(save, voxels):
    volume = read_volume({"FLAIR": None, "T1w": save("x.nii", voxels)})
    assert tuple(volume.contrasts) == ("FLAIR", "T1w")
    assert np.isnan(volume.contrasts["FLAIR"]).all()
    assert volume.contrasts["FLAIR"].shape == SHAPE


def test_no_path_at_all_is_refused():
    with pytest.raises(VolumeReadError, match="no image file"):
        read_volume({"T1w": None}, subject="sub-1")


@other_grid
def test_an_image_shifted_by_whole_voxels_lands_where_it_was_in_space(save, voxels):
    volume = read_volume({"a": save("a.nii", voxels), "b": save("b.nii", voxels, shifted(1, 0, 2))})
    moved = volume.contrasts["b"]
    np.testing.assert_allclose(moved[1:, :, 2:], voxels[:-1, :, :-2], rtol=1e-4, atol=1e-3)


@other_grid
def test_what_another_field_of_view_does_not_cover_is_nan(save, voxels):
    volume = read_volume({"a": save("a.nii", voxels), "b": save("b.nii", voxels, shifted(1, 0, 2))})
    expected = np.ones(SHAPE, bool)
    expected[1:, :, 2:] = False
    np.testing.assert_array_equal(np.isnan(volume.contrasts["b"]), expected)


@other_grid
def test_a_smooth_image_on_a_turned_finer_grid_keeps_its_values(save):
    turn = np.array([[0, -1.0, 0, 21], [1, 0, 0, -3], [0, 0, 2, 0], [0, 0, 0, 1]])

    def image(affine, shape):
        x, y, z = (
            np.einsum("ij,j...->i...", affine[:3, :3], np.indices(shape)) + affine[:3, 3, None, None, None]
        )
        return (np.sin(x / 6) + np.cos(y / 7) + z / 20).astype(np.float32)

    first = save("a.nii", image(AFFINE, SHAPE))
    other = save("b.nii", image(turn, (30, 31, 20)), turn)
    inside = read_volume({"a": first, "b": other}).contrasts["b"][1:-1, 1:-1, 1:-1]
    assert np.isnan(inside).mean() < 0.2
    known = ~np.isnan(inside)
    np.testing.assert_allclose(inside[known], image(AFFINE, SHAPE)[1:-1, 1:-1, 1:-1][known], atol=0.01)


def test_a_header_that_differs_in_rounding_only_is_the_same_grid(save, voxels):
    other = save("b.nii", voxels, AFFINE + np.full((4, 4), 1e-4) * [[1], [1], [1], [0]])
    np.testing.assert_array_equal(
        read_volume({"a": save("a.nii", voxels), "b": other}).contrasts["b"], voxels
    )


@other_grid
def test_labels_on_another_grid_stay_classes(save, voxels):
    labels = (voxels > 150).astype(np.uint8) * 3
    volume = read_volume({"a": save("a.nii", voxels)}, labels=save("l.nii", labels, shifted(0.4, 0, 1)))
    assert set(np.unique(volume.labels)) == {0, 3}
    np.testing.assert_array_equal(volume.labels[:, :, 1:], labels[:, :, :-1])
    assert not volume.labels[:, :, 0].any()


@other_grid
def test_a_nan_on_another_grid_stays_a_nan_and_does_not_spread(save, voxels):
    other = voxels.astype(np.float32)
    other[3, 3, 3] = np.nan
    mask = np.ones(SHAPE, np.uint8)
    mask[3:5] = 0
    paths = {"a": save("a.nii", voxels), "b": save("b.nii", other, shifted(1, 0, 0))}
    loaded = read_volume(paths, mask=save("m.nii", mask)).contrasts["b"]
    assert np.argwhere(np.isnan(loaded[1:])).tolist() == [[3, 3, 3]]


@other_grid
def test_a_background_of_exact_zeros_stays_exact_on_another_grid(save):
    image = np.zeros((20, 21, 22), np.float32)
    image[6:14, 6:14, 6:14] = 100
    paths = {"a": save("a.nii", image), "b": save("b.nii", image, shifted(0.5, 0.25, 0))}
    moved = read_volume(paths).contrasts["b"]
    assert (moved[1:] == 0).mean() > 0.9


def test_fields_of_view_that_do_not_meet_are_refused_with_both_names(save, voxels):
    with pytest.raises(VolumeReadError, match=r"a.nii and .*b.nii show different regions"):
        read_volume({"a": save("a.nii", voxels), "b": save("b.nii", voxels, shifted(6, 0, 0))})


@other_grid
def test_a_small_field_of_view_inside_a_large_one_is_fine(save, voxels):
    slab = save("b.nii", voxels[:, :, 4:6], shifted(0, 0, 4))
    loaded = read_volume({"a": save("a.nii", voxels), "b": slab}).contrasts["b"]
    np.testing.assert_allclose(loaded[:, :, 4:6], voxels[:, :, 4:6], rtol=1e-4, atol=1e-3)


def test_other_shapes_with_the_same_affine_are_refused_with_both_names(save, voxels):
    with pytest.raises(VolumeReadError, match=r"a.nii and .*b.nii have the same affine but shapes"):
        read_volume({"a": save("a.nii", voxels), "b": save("b.nii", voxels[:-1])})


def test_a_mask_that_does_not_belong_is_refused_with_both_names(save, voxels):
    with pytest.raises(VolumeReadError, match=r"a.nii and .*m.nii"):
        read_volume({"a": save("a.nii", voxels)}, mask=save("m.nii", voxels[:, 1:]))


def test_nothing_is_read_before_it_is_asked_for(tmp_path, voxels, save):
    whole = save("x.nii.gz", voxels).read_bytes()
    with gzip.open(tmp_path / "x.nii.gz") as file:
        header = file.read(352)
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(header))
    assert len(whole) > 352
    assert read_volume({"T1w": tmp_path / "x.nii.gz"}).shape == SHAPE
