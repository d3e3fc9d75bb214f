"""The files that a map is made from, so that a replaced scan is noticed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from skad.io import Volume
from skad.io.nifti import files_of
from skad.utils.files import sha256
from skad.utils.typing import PathLike


@dataclass(frozen=True)
class InputFile:
    """State of an image file; a pair of .hdr and .img counts as one.

    Attributes
    ----------
    size : int
        Bytes.
    modified : int
        Time of the last modification, nanoseconds since 1970.
    sha256 : str
        Digest of the content, hexadecimal.
    """

    size: int
    modified: int
    sha256: str

    @classmethod
    def of(cls, path: PathLike) -> Self:
        """The state of a file, which is read whole."""
        size, modified = _size_and_time(path)
        return cls(size, modified, sha256(*_files(path)))

    def is_of(self, path: PathLike) -> bool:
        """Whether a file has this content; it is read only if its size is the same and its time is not."""
        try:
            size, modified = _size_and_time(path)
            return size == self.size and (modified == self.modified or sha256(*_files(path)) == self.sha256)
        except OSError:
            return False

    def as_json(self) -> dict[str, Any]:
        """Content of a JSON file."""
        return {"Bytes": self.size, "ModifiedNanoseconds": self.modified, "SHA256": self.sha256}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The state that a JSON file describes."""
        return cls(int(content["Bytes"]), int(content["ModifiedNanoseconds"]), str(content["SHA256"]))


def inputs_of(volume: Volume, contrasts: Sequence[str]) -> dict[str, InputFile]:
    """State of the files of a volume's contrasts and mask, by name; empty for a volume in memory."""
    return {name: InputFile.of(path) for name, path in _paths(volume, contrasts).items()}


def other_inputs(inputs: Mapping[str, InputFile], volume: Volume, contrasts: Sequence[str]) -> list[str]:
    """Names of the contrasts, or "mask", whose files were replaced, added or removed since `inputs`."""
    paths = _paths(volume, contrasts)
    return [
        name
        for name in dict.fromkeys([*inputs, *paths])
        if name not in inputs or name not in paths or not inputs[name].is_of(paths[name])
    ]


def _paths(volume, contrasts):
    known = volume.info.get("paths", {})
    return {name: known[name] for name in (*contrasts, "mask") if name in known}


def _files(path):
    return tuple(dict.fromkeys(files_of(Path(path))))


def _size_and_time(path):
    states = [each.stat() for each in _files(path)]
    return sum(each.st_size for each in states), max(each.st_mtime_ns for each in states)
