from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad.io import Volume, VolumeWriteError, read_volume, to_image, write_map

SHAPE = (7, 8, 9)
GEOMETRY = ("qform_code", "sform_code", "xyzt_units", "srow_x", "srow_y", "srow_z", "quatern_b", "qoffset_x")


def oblique():
    affine = np.diag([-0.9, 0.9, 5.5, 1.0])
    c, s = np.cos(0.2), np.sin(0.2)
    affine[:3, :3] = [[1, 0, 0], [0, c, -s], [0, s, c]] @ affine[:3, :3]
    affine[:3, 3] = 90, -71, -98
    return affine


def source(tmp_path, qform_code, sform_code, dtype=np.int16, kind=nibabel.Nifti1Image):
    image = kind(np.ones(SHAPE, dtype), oblique())
    image.set_qform(oblique() if qform_code else None, qform_code)
    image.set_sform(oblique() if sform_code else None, sform_code)
    image.header.set_xyzt_units("mm", "sec")
    image.header["cal_max"] = 3000
    nibabel.save(image, tmp_path / "sub-1_T1w.nii.gz")
    return tmp_path / "sub-1_T1w.nii.gz"


@pytest.mark.filterwarnings("ignore:.*neither a qform nor an sform:skad.io.GeometryWarning")
@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 2), (1, 1), (3, 4)])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_written_map_has_exactly_the_geometry_of_its_input(tmp_path, codes, kind):
    path = source(tmp_path, *codes, kind=kind)
    written = nibabel.load(write_map(np.zeros(SHAPE), read_volume({"T1w": path}), tmp_path / "map.nii.gz"))
    before = nibabel.load(path)
    assert type(written) is kind
    np.testing.assert_array_equal(written.affine, before.affine)
    for field in GEOMETRY:
        np.testing.assert_array_equal(written.header[field], before.header[field])


def test_a_map_is_float32_whatever_the_input_and_forgets_its_display_window(tmp_path):
    image = to_image(np.full(SHAPE, 0.25), read_volume({"T1w": source(tmp_path, 1, 1, np.uint8)}))
    assert image.get_data_dtype() == np.float32
    assert image.header["cal_max"] == 0


def test_values_survive_the_way_to_disk_and_back(tmp_path):
    scores = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    scores[0] = np.nan
    volume = Volume({"T1w": np.ones(SHAPE)}, oblique())
    path = write_map(scores, volume, tmp_path / "deep" / "er" / "map.nii")
    np.testing.assert_array_equal(nibabel.load(path).get_fdata(dtype=np.float32), scores)


def test_nan_becomes_zero_when_asked():
    scores = np.full(SHAPE, 2.0)
    scores[0] = np.nan
    image = to_image(scores, Volume({"T1w": np.ones(SHAPE)}, np.eye(4)), outside="zero")
    assert np.unique(image.get_fdata()).tolist() == [0, 2]


def test_an_unknown_outside_is_refused():
    with pytest.raises(ValueError, match="outside should be one of nan, zero, got 'zeros'"):
        to_image(np.ones(SHAPE), Volume({"T1w": np.ones(SHAPE)}, np.eye(4)), outside="zeros")


@given(scale=st.floats(0.1, 10), shift=st.floats(-200, 200))
def test_a_volume_in_memory_keeps_its_affine(scale, shift):
    affine = oblique() * [scale, 1, 1, 1]
    affine[:3, 3] += shift
    image = to_image(np.ones(SHAPE), Volume({"T1w": np.ones(SHAPE)}, affine))
    np.testing.assert_array_equal(image.affine, affine)
    assert image.header.get_xyzt_units()[0] == "mm"


def test_a_map_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(7, 8, 9\), got \(9, 8, 7\)"):
        to_image(np.ones(SHAPE[::-1]), Volume({"T1w": np.ones(SHAPE)}, np.eye(4)))


def test_a_name_that_is_not_nifti_is_refused(tmp_path):
    with pytest.raises(VolumeWriteError, match=r"map.png should end in .nii.gz"):
        write_map(np.ones(SHAPE), Volume({"T1w": np.ones(SHAPE)}, np.eye(4)), tmp_path / "map.png")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(VolumeWriteError, match=r"taken/map.nii.gz cannot be written \(.*\): choose a folder"):
        write_map(
            np.ones(SHAPE), Volume({"T1w": np.ones(SHAPE)}, np.eye(4)), tmp_path / "taken" / "map.nii.gz"
        )


def test_a_map_is_replaced_in_one_step(tmp_path):
    volume = Volume({"T1w": np.ones(SHAPE)}, np.eye(4))
    path = write_map(np.ones(SHAPE), volume, tmp_path / "map.nii.gz")
    before = path.read_bytes()
    with open(path, "rb") as reader:
        write_map(np.zeros(SHAPE), volume, path)
        assert reader.read() == before


def test_a_failed_write_leaves_the_old_map_and_nothing_else(tmp_path, monkeypatch):
    volume = Volume({"T1w": np.ones(SHAPE)}, np.eye(4))
    path = write_map(np.ones(SHAPE), volume, tmp_path / "map.nii.gz")
    before = path.read_bytes()

    def full_disk(path, content):
        with open(path, "wb") as file:
            file.write(content[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(
        VolumeWriteError, match=r"map\.nii\.gz cannot be written, the disk is full: free some space"
    ):
        write_map(np.zeros(SHAPE), volume, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["map.nii.gz"]
