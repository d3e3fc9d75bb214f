"""What is read from the names of contrasts."""

import pytest

from skad.utils.contrasts import is_t1_weighted, with_bright_lesions


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("T1w", True),
        ("ce-gadolinium_T1w", True),
        ("t1ce", True),
        ("FLAIR", False),
        ("T2w", False),
        ("dwi", False),
    ],
)
def test_t1_weighting_is_read_from_the_name(name, expected):
    assert is_t1_weighted(name) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["T1w", "FLAIR", "T2w"], [1, 2]),
        (["t2", "acq-3D_FLAIR"], [1, 0]),
        (["T1w", "dwi"], []),
    ],
)
def test_lesions_are_bright_on_flair_first_then_on_t2(names, expected):
    assert with_bright_lesions(names) == expected
