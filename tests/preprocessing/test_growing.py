import numpy as np
import pytest

from skad.preprocessing.growing import RowFile, RowList


def test_a_file_of_many_rows_equals_the_array(tmp_path):
    X = np.random.default_rng(0).normal(size=(101, 2, 3)).astype(np.float32)
    with RowFile(tmp_path / "deep" / "x.npy", (2, 3), np.float32) as rows:
        for start in range(0, 101, 7):
            rows.append(X[start : start + 7])
    result = rows.result()
    assert isinstance(result, np.memmap)
    np.testing.assert_array_equal(result, X)


def test_a_failure_leaves_nothing_behind_and_keeps_the_old_file(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(3))
    with pytest.raises(RuntimeError), RowFile(tmp_path / "x.npy", (2,), np.float32) as rows:
        rows.append(np.ones((4, 2)))
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]
    assert np.load(tmp_path / "x.npy").tolist() == [0, 1, 2]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").touch()
    with (
        pytest.raises(ValueError, match=r"taken/x.npy cannot be written"),
        RowFile(tmp_path / "taken/x.npy", (), float),
    ):
        pass


def test_rows_in_memory_are_joined_in_order():
    with RowList(np.int16) as rows:
        rows.append([[1], [2]])
        rows.append([[3]])
    assert rows.result().tolist() == [[1], [2], [3]]
    assert rows.result().dtype == np.int16
