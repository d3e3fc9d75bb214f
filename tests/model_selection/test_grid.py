"""The values that a search tries, read from a file."""

import pytest

from skad.model_selection.grid import read_grid


def test_a_table_is_a_prefix_and_text_is_read_as_python(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text('score__margin = [0.5]\n[score.network]\ndice = [0, "None", "(8, 16)", "signed"]\n')
    assert read_grid(path) == {
        "score__margin": [0.5],
        "score__network__dice": [0, None, (8, 16), "signed"],
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("score: 1", "is not TOML"),
        ("", "should hold lists of values"),
        ("[score]\nmargin = 2", "score__margin should be a list of values to try, got 2"),
        ("[score]\nmargin = []", r"score__margin should be a list of values to try, got \[\]"),
        ("[preprocessor]\nsize = [[32, 32]]", "scans are preprocessed once"),
    ],
)
def test_a_mistake_in_the_file_is_named(text, told, tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        read_grid(path)
