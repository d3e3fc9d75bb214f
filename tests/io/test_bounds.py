"""Files that promise more than they hold, or more than fits, are refused before anything is allocated."""

import gzip
import struct
import tracemalloc

import nibabel
import numpy as np
import pytest

from skad.io import VolumeReadError, read_volume

DIM, DATATYPE, OFFSET, SCALING, PIXDIM, QFORM, SROW = 40, 70, 108, 112, 80, 252, 280


def poke(path, at, form, *values):
    content = path.read_bytes()
    packed = content[:2] == b"\x1f\x8b"
    content = bytearray(gzip.decompress(content) if packed else content)
    struct.pack_into(f"<{form}", content, at, *values)
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize(
    ("at", "form", "values", "message"),
    [
        (DATATYPE, "h", [26996], "not a readable NIfTI file.*26996"),
        (OFFSET, "f", [348.0], "not a readable NIfTI file.*348"),
        (OFFSET, "f", [0.0], "voxels at byte 0, inside the header"),
        (OFFSET, "f", [float("nan")], "not a readable NIfTI file"),
        (SCALING, "ff", [2.0, float("nan")], "not a readable NIfTI file.*intercept"),
        (DIM, "4h", [3, -7, 8, 9], "shape is"),
        (DIM, "4h", [3, 32767, 32767, 32767], "at most 536870912 voxels.*32767x32767x32767"),
        (SROW, "f", [1e30], "voxels of 0.0001 to 1000 mm"),
        (SROW + 12, "f", [1e9], "within 100000 mm of the origin"),
    ],
)
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_a_bad_header_is_one_sentence_with_the_file(save, voxels, name, at, form, values, message):
    path = poke(save(name, voxels), at, form, *values)
    with pytest.raises(VolumeReadError, match=rf"{name}.*{message}"):
        read_volume({"T1w": path})


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_voxels_that_a_file_cannot_hold_are_not_allocated(save, voxels, name):
    volume = read_volume({"T1w": poke(save(name, voxels), DIM, "4h", 3, 800, 800, 800)})
    tracemalloc.start()
    with pytest.raises(VolumeReadError, match=rf"{name} is damaged.*declares 1024000352 bytes"):
        volume.contrasts["T1w"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_a_compressed_bomb_behind_the_voxels_is_not_unpacked(save, voxels, tmp_path):
    content = save("x.nii", voxels).read_bytes() + bytes(2**26)
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(content))
    tracemalloc.start()
    with pytest.raises(VolumeReadError, match="declares fewer voxels than it holds"):
        read_volume({"T1w": tmp_path / "x.nii.gz"}).contrasts["T1w"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23


def test_an_extension_of_two_gigabytes_is_not_read(save, voxels):
    path = poke(save("x.nii", voxels), 348, "4bii", 1, 0, 0, 0, 2**31 - 16, 4)
    assert read_volume({"T1w": poke(path, OFFSET, "f", 2.0**31)}).shape == (7, 8, 9)
    with pytest.raises(VolumeReadError, match=r"x.nii is damaged"):
        read_volume({"T1w": path}).contrasts["T1w"]


def test_the_bound_is_a_parameter(save, voxels):
    path = save("x.nii", voxels)
    assert read_volume({"T1w": path}, max_voxels=504).shape == (7, 8, 9)
    with pytest.raises(VolumeReadError, match="at most 503 voxels"):
        read_volume({"T1w": path}, max_voxels=503)


@pytest.mark.parametrize("name", ["packed.nii", "plain.nii.gz"])
def test_whether_a_file_is_compressed_is_told_by_its_bytes_not_by_its_name(save, voxels, tmp_path, name):
    content = save("x.nii", voxels).read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name == "packed.nii" else content)
    np.testing.assert_array_equal(read_volume({"T1w": tmp_path / name}).contrasts["T1w"], voxels)


def test_a_file_in_two_compressed_members_is_read_whole(save, voxels, tmp_path):
    content = save("x.nii", voxels).read_bytes()
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(content[:700]) + gzip.compress(content[700:]))
    np.testing.assert_array_equal(read_volume({"T1w": tmp_path / "x.nii.gz"}).contrasts["T1w"], voxels)


def test_a_pair_of_files_is_read_from_either_name(tmp_path, voxels):
    nibabel.save(nibabel.Nifti1Pair(voxels, np.eye(4)), tmp_path / "x.hdr")
    for name in ("x.hdr", "x.img"):
        np.testing.assert_array_equal(read_volume({"T1w": tmp_path / name}).contrasts["T1w"], voxels)


def test_a_link_to_nothing_says_how_to_fetch_it(tmp_path):
    (tmp_path / "x.nii.gz").symlink_to("../.git/annex/objects/x")
    with pytest.raises(VolumeReadError, match=r"x.nii.gz is a link to a file that does not exist: fetch it"):
        read_volume({"T1w": tmp_path / "x.nii.gz"})


def test_float64_beyond_float32_is_an_infinite_voxel(save):
    path = save("x.nii", np.full((7, 8, 9), 1e300))
    with pytest.raises(VolumeReadError, match="504 NaN or infinite voxels"):
        read_volume({"T1w": path}).contrasts["T1w"]
