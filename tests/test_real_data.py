"""Where tests find real scans, and what happens without them."""

import pytest

from .conftest import folder_of_real_scans


def test_variable_names_the_folder(tmp_path):
    assert folder_of_real_scans({"SKAD_DATA": str(tmp_path)}) == tmp_path


def test_without_scans_a_test_is_skipped_with_the_folder(tmp_path):
    with pytest.raises(pytest.skip.Exception, match="nowhere"):
        folder_of_real_scans({"SKAD_DATA": str(tmp_path / "nowhere")})


def test_without_scans_a_test_fails_in_ci(tmp_path):
    with pytest.raises(pytest.fail.Exception, match="nowhere"):
        folder_of_real_scans({"SKAD_DATA": str(tmp_path / "nowhere"), "CI": "true"})


def test_scans_that_are_there_are_a_folder(real_data):
    assert real_data.is_dir()
