"""What the name of a contrast says about the intensities of tissue and lesions."""

from collections.abc import Sequence

_T1_WEIGHTED = ("t1w", "t1", "t1ce", "t1c", "t1n")
_LESIONS_BRIGHT = ("flair", "t2w", "t2")


def is_t1_weighted(contrast: str) -> bool:
    """Whether white matter is the brightest tissue of a contrast of this name."""
    return contrast.lower().endswith(_T1_WEIGHTED)


def with_bright_lesions(contrasts: Sequence[str]) -> list[int]:
    """Indices of the contrasts on which most lesions are brighter than tissue: FLAIR first, then T2."""
    return [
        index
        for ending in _LESIONS_BRIGHT
        for index, name in enumerate(contrasts)
        if name.lower().endswith(ending)
    ]
