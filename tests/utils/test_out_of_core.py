"""Arrays larger than memory: chunks in, a temporary file out."""

import errno
import gc
import os
import tracemalloc

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skad.utils import out_of_core
from skad.utils.out_of_core import is_on_disk, map_chunks


@pytest.fixture
def on_disk(tmp_path, monkeypatch):
    """A memory map of 10 samples that is read 4 at a time."""
    monkeypatch.setattr(out_of_core, "_CHUNK", 4)
    np.save(tmp_path / "X.npy", np.arange(60.0).reshape(10, 2, 3))
    return np.load(tmp_path / "X.npy", mmap_mode="r")


def open_files():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_memory_map_and_its_views_are_on_disk(on_disk):
    assert is_on_disk(on_disk) and is_on_disk(on_disk[2:5]) and is_on_disk(np.asarray(on_disk))


def test_copies_are_not_on_disk(on_disk):
    assert not is_on_disk(on_disk[[0, 1]]) and not is_on_disk(on_disk + 1) and not is_on_disk([1])


def test_array_in_memory_is_handed_over_whole():
    X = np.ones((10, 2))
    assert map_chunks(lambda chunk: chunk, X) is X


def test_chunks_cover_every_sample_once_in_order(on_disk):
    seen = []
    result = map_chunks(lambda chunk: seen.append(len(chunk)) or chunk[:, :1] + 1, on_disk)
    assert seen == [4, 4, 2]
    assert_array_equal(result, on_disk[:, :1] + 1)


def test_chunks_are_float32_copies_that_may_be_written(on_disk):
    def double(chunk):
        assert chunk.dtype == np.float32 and not is_on_disk(chunk)
        chunk *= 2
        return chunk

    assert_array_equal(map_chunks(double, on_disk), 2 * on_disk)


def test_result_is_on_disk_and_writable(on_disk):
    result = map_chunks(lambda chunk: chunk, on_disk)
    assert is_on_disk(result) and result.flags.writeable and result.dtype == np.float32


def test_result_leaves_no_file(on_disk, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    result = map_chunks(lambda chunk: chunk, on_disk)
    assert list((tmp_path / "scratch").iterdir()) == []
    del result


def test_file_is_let_go_with_the_last_view(on_disk):
    gc.collect()
    before = open_files()
    view = map_chunks(lambda chunk: chunk, on_disk)[3:5, 0]
    assert_array_equal(view, on_disk[3:5, 0])
    del view
    gc.collect()
    assert open_files() == before


def _sum_of_chunks(X):
    return map_chunks(lambda chunk: chunk, X)


def test_result_survives_the_process_that_made_it(on_disk):
    (result,) = joblib.Parallel(n_jobs=2, max_nbytes=1)(joblib.delayed(_sum_of_chunks)(X) for X in [on_disk])
    assert_array_equal(result, on_disk)


def test_result_may_be_sent_to_another_process(on_disk):
    result = map_chunks(lambda chunk: chunk, on_disk)
    (total,) = joblib.Parallel(n_jobs=2, max_nbytes=1)(joblib.delayed(np.sum)(X) for X in [result])
    assert total == on_disk.sum()


def test_memory_is_that_of_a_chunk_not_of_the_result(tmp_path, monkeypatch):
    monkeypatch.setattr(out_of_core, "_CHUNK", 16)
    np.save(tmp_path / "X.npy", np.ones((512, 2, 32, 40), dtype=np.float32))  # 5.2 MB
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    tracemalloc.start()
    map_chunks(lambda chunk: np.stack([chunk, chunk], axis=1), X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 4  # the result is twice as large as X


def test_full_disk_is_an_error_that_says_where_and_how_much(on_disk, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match=r"0\.0 GB are needed .*No space left on device; set TMPDIR") as error:
        map_chunks(lambda chunk: chunk, on_disk)
    assert error.value.errno == errno.ENOSPC
