"""participants.tsv as people write it: read right, or refused with file, line and remedy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad.datasets.participants import read_participants
from skad.io import VolumeReadError


@pytest.fixture
def table(tmp_path):
    """Write a table and read it."""

    def read(content):
        path = tmp_path / "participants.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_participants(path)

    return read


TEXT = "participant_id\tsite\tnote\nsub-01\tZürich\tfine\nsub-02\tBern\tn/a\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_make_no_difference(table, encoding, end):
    participants = table(TEXT.replace("\n", end).encode(encoding))
    assert participants.of("sub-01", "") == {"participant_id": "sub-01", "site": "Zürich", "note": "fine"}
    assert participants.of("sub-02", "")["site"] == "Bern"


def test_a_lone_quote_is_a_character_and_does_not_swallow_the_next_rows(table):
    rows = table('participant_id\tnote\nsub-01\t"5 mm slices\nsub-02\tfine\nsub-03\t3" coil\n')
    assert [rows.of(f"sub-0{i}", "")["note"] for i in (1, 2, 3)] == ['"5 mm slices', "fine", '3" coil']


def test_quotes_that_enclose_a_cell_are_taken_off(table):
    rows = table('participant_id\tnote\n"sub-01"\t"said ""no"""\n')
    assert rows.of("sub-01", "")["note"] == 'said "no"'


def test_tabs_at_the_end_of_rows_are_ignored(table):
    rows = table("participant_id\tfold\t\nsub-01\ttrain\t\t\nsub-02\n\n")
    assert rows.of("sub-01", "") == {"participant_id": "sub-01", "fold": "train"}
    assert rows.of("sub-02", "")["fold"] == "n/a"


def test_ids_may_lack_their_prefix(table):
    assert table("participant_id\tsex\n01\tM\n").of("sub-01", "")["sex"] == "M"


@pytest.mark.parametrize("session", ["1", "01", "ses-1", "ses-01"])
def test_a_row_of_a_session_belongs_to_that_session(table, session):
    rows = table(f"participant_id\tsession\tage\nsub-01\t{session}\t40\nsub-01\tses-2\t41\n")
    assert rows.of("sub-01", "ses-1") == {"participant_id": "sub-01", "age": "40"}
    assert rows.of("sub-01", "ses-2")["age"] == "41"


def test_scans_without_sessions_get_what_all_rows_agree_on(table):
    rows = table(
        "participant_id\tsession\tsex\tage\nsub-01\t1\tM\t40\nsub-01\t2\tM\t41\nsub-02\tn/a\tF\t50\n"
    )
    assert rows.of("sub-01", "") == {"participant_id": "sub-01", "sex": "M"}
    assert rows.of("sub-02", "") == {"participant_id": "sub-02", "sex": "F", "age": "50"}


def test_a_row_that_appears_twice_counts_once(table):
    assert table("participant_id\tage\nsub-01\t40\nsub-01\t40\n").of("sub-01", "")["age"] == "40"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "participant_id\tage\nsub-01\t40\n01\t41\n",
            r"line 3: sub-01 has other values than in line 2: keep one",
        ),
        ("participant_id,age\nsub-01,40\n", "should have a tab-separated column participant_id in line 1"),
        ("participant_id\tage\nsub-01\t40\tx\n", "line 2, has 3 cells for 2 columns: remove"),
        ("participant_id\tage\tage\n", "line 1, has the column 'age' twice: rename"),
        ("participant_id\tage\n\t40\n", "line 2, has no participant_id: add it"),
        (b"\xff\xfep\x00a", "neither UTF-8 nor UTF-16"),
    ],
)
def test_what_cannot_be_read_right_is_refused_with_line_and_remedy(table, text, message):
    with pytest.raises(VolumeReadError, match=rf"participants.tsv.*{message}"):
        table(text)


def test_no_table_and_an_empty_one_know_nobody(table, tmp_path):
    assert read_participants(tmp_path / "none.tsv").of("sub-01", "") == {}
    assert table("\n\n").of("sub-01", "") == {}


@given(st.data())
def test_any_change_of_bytes_is_read_or_refused(tmp_path_factory, data):
    content = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("table") / "participants.tsv"
    path.write_bytes(content)
    try:
        info = read_participants(path).of("sub-01", "")
    except VolumeReadError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(text, str) for item in info.items() for text in item)
