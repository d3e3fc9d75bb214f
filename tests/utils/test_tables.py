"""CSV files: text stays text, numbers stay numbers, nothing becomes a formula."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad.utils.tables import read_table, write_table

NO_SURROGATES = st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r")


@pytest.mark.parametrize("text", ["=1+1", "+1;cmd", "-2+3", "@SUM(A1)", "\t=1"])
def test_a_cell_never_begins_a_formula(text, tmp_path):
    write_table([{"subject": text, "score": -1.5}], tmp_path / "a.csv")
    with open(tmp_path / "a.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {"subject": "'" + text, "score": "-1.5"}


@given(st.text(NO_SURROGATES, max_size=8).map(lambda text: f"x{text}") | st.integers() | st.floats(-1e9, 1e9))
def test_what_is_written_is_read(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("table") / "a.csv"
    write_table([{"a": value, "b": 1}], path)
    assert read_table(path) == [{"a": value, "b": 1}]


def test_formulas_come_back_as_they_were(tmp_path):
    write_table([{"subject": "=1+1"}, {"subject": "'quoted"}], tmp_path / "a.csv")
    assert [row["subject"] for row in read_table(tmp_path / "a.csv")] == ["=1+1", "'quoted"]


def test_a_name_in_another_encoding_costs_no_table(tmp_path):
    write_table([{"subject": b"caf\xe9".decode(errors="surrogateescape")}], tmp_path / "a.csv")
    assert read_table(tmp_path / "a.csv") == [{"subject": "caf\\udce9"}]
