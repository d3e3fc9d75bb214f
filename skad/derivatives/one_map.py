"""The map of one patient as a file of its own, with what belongs to it beside it."""

import contextlib
import gzip
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from skad.derivatives.naming import lesions_path
from skad.derivatives.record import Record
from skad.io import Volume
from skad.utils.files import copy_whole, written_whole

_ENDINGS = (".nii", ".nii.gz")


def is_file(out: Path) -> bool:
    """Whether an output is the file of one map, and not a folder of maps."""
    return out.name.endswith(_ENDINGS)


@contextlib.contextmanager
def folder_for(out: Path, volumes: Sequence[Volume]) -> Iterator[Path]:
    """The folder that maps go to: `out`, or a temporary one where `out` is the file of one map.

    Raises
    ------
    ValueError
        `out` is one file, and there are several volumes.
    """
    if not is_file(out):
        yield out
        return
    if len(volumes) != 1:
        raise ValueError(
            f"--out {out} is one file, but there are {len(volumes)} subjects: name a folder instead."
        )
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def copy_map(record: Record, out: Path) -> None:
    """Copy a map, uncompressed to ``.nii``, and its table of lesions, ``NAME_lesions.csv``, if it has one."""
    content = record.path.read_bytes()
    with written_whole(out) as temporary:
        temporary.write_bytes(content if out.suffix == ".gz" else gzip.decompress(content))
    if record.sidecar.rule is not None:
        copy_whole(lesions_path(record.path), beside(out, "_lesions.csv"))


def beside(out: Path, ending: str) -> Path:
    """The path of a map with another ending.

    Examples
    --------
    >>> beside(Path("a/map.nii.gz"), ".html").as_posix()
    'a/map.html'
    """
    return out.with_name(out.name.removesuffix(".gz").removesuffix(".nii") + ending)
