"""Values as they are typed."""

from hypothesis import given
from hypothesis import strategies as st

from skad.utils.literals import python_value

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.tuples(inner, inner) | st.lists(inner, max_size=3),
)


@given(VALUES)
def test_what_python_prints_is_read_back(value):
    assert python_value(repr(value)) == value


def test_what_is_no_value_is_text():
    assert [python_value(text) for text in ("signed", "a,b c", "")] == ["signed", "a,b c", ""]
