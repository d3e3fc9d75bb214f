"""Scans and tables of participants, good and mutated, for benchmarks/robustness.py."""

import contextlib
import gzip
import struct
import warnings
from pathlib import Path

import nibabel
import numpy as np

from skad.datasets.participants import read_participants
from skad.io import VolumeReadError, read_volume
from skad.io.common_grid import place
from skad.io.nifti import NiftiFile, open_nifti
from skad.preprocessing import VolumePreprocessor

SHAPE = (7, 8, 9)
AFFINE = np.array([[2.0, 0, 0, -7], [0, 3, 0, -12], [0, 0, 4, -18], [0, 0, 0, 1]])
NUMBERS = {
    "b": (-1, 0, 1, 127),
    "h": (-32768, -1, 0, 1, 4, 7, 8, 16, 64, 128, 1024, 32767),
    "i": (-(2**31), -1, 0, 1, 348, 540, 2**31 - 1),
    "q": (-(2**63), -1, 0, 1, 352, 2**40, 2**63 - 1),
    "f": (float("nan"), float("inf"), -1.0, 0.0, 1e-38, 348.0, 1e9, 3e38),
    "d": (float("nan"), float("inf"), -1.0, 0.0, 1e-300, 1e9, 1e300),
}


def scans():
    """Small NIfTI files of different types, byte orders and versions, plain and compressed."""
    rng = np.random.default_rng(0)
    tissue = rng.integers(50, 200, SHAPE) * (rng.random(SHAPE) < 0.8)
    scaled = nibabel.Nifti1Image(tissue / 7.0, AFFINE)
    scaled.set_data_dtype(np.int16)
    swapped = nibabel.Nifti1Image(tissue.astype(">i2"), AFFINE, nibabel.Nifti1Header(endianness=">"))
    plain = [
        nibabel.Nifti1Image(tissue.astype(np.int16), AFFINE),
        nibabel.Nifti2Image(tissue.astype(np.float32), AFFINE),
        nibabel.Nifti1Image((tissue // 50).astype(np.uint8), AFFINE),
        nibabel.Nifti1Image(tissue.astype(np.float64), AFFINE),
        scaled,
        swapped,
    ]
    contents = [image.to_bytes() for image in plain]
    return [*contents, *(gzip.compress(content, mtime=0) for content in contents)]


def mutate_scan(generator, content):
    """Extreme header fields, bytes at random, files cut or prolonged, damage to the compression."""
    packed = content[:2] == b"\x1f\x8b"
    inner = bytearray(gzip.decompress(content) if packed else content)
    n_header = 352 if inner[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c") else 544
    for _ in range(generator.choice((1, 1, 1, 2, 8))):
        place = int(generator.integers(n_header))
        match generator.integers(6):
            case 0 | 1:
                inner[place] = generator.integers(256)
            case 2 | 3:
                form = "bhiqfd"[generator.integers(6)]
                value = NUMBERS[form][generator.integers(len(NUMBERS[form]))]
                start = place - place % struct.calcsize(form)
                struct.pack_into(f"<{form}", inner, start, value)
            case 4:
                del inner[int(generator.integers(len(inner))) :]
                inner += bytes(max(0, n_header - len(inner)))
            case 5:
                inner += bytes(int(generator.integers(2**22)))
    if not packed:
        return bytes(inner)
    outer = bytearray(gzip.compress(bytes(inner), 1, mtime=0))
    if generator.random() < 0.3:
        outer[int(generator.integers(len(outer)))] ^= 1 << int(generator.integers(8))
    if generator.random() < 0.1:
        del outer[int(generator.integers(len(outer))) :]
    return bytes(outer)


def read_scan(path):
    """Read a file as contrast, labels and mask, on its own grid and on another one, and make slices of it.

    Raises
    ------
    VolumeReadError
        As readers do; it has to name the file.
    Unusable
        As the preprocessing does; it has to name the subject.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of geometry, and of lesions that share a voxel
        _read_in_every_role(path)


def _read_in_every_role(path):
    first = NiftiFile(Path("reference.nii"), SHAPE, AFFINE, {}, {"sform": AFFINE})
    with contextlib.suppress(VolumeReadError, Unusable):
        _checked(path, lambda: _slices(path, mask=path, labels=path))
    for kind in ("image", "labels", "mask"):
        with contextlib.suppress(VolumeReadError, Unusable):
            _checked(path, lambda kind=kind: place(first, open_nifti(path), kind=kind)[0].load())
    _checked(path, lambda: _slices(path))


def _slices(path, **arguments):
    volume = read_volume({"T1w": path}, subject="mutant", **arguments)
    prepare = VolumePreprocessor(size=(8, 8), voxel_size=2.5, size_mode="resize", max_voxels=2**20)
    return prepare.fit([volume]).transform([volume])


class Unusable(Exception):
    """A scan that is read but from which no slice can be made; the message names the subject."""


def _checked(path, read):
    """Read; an error that names neither file nor subject is an escape."""
    try:
        read()
    except VolumeReadError as error:
        if str(path) not in str(error):
            raise RuntimeError(f"{type(error).__name__} names no file: {error}") from error
        raise
    except ValueError as error:
        if "'mutant'" in str(error):
            raise Unusable(str(error)) from error
        raise


def tables():
    """Tables of participants as people write them."""
    text = (
        "participant_id\tsession\tage\tnote\nsub-01\t1\t40\tfine\nsub-01\t2\t41\tZürich\nsub-02\tn/a\t50\t"
        '"5 mm slices\n03\t1\t60\t"said ""no"""\t\n'
    )
    encodings = ("utf-8", "utf-8-sig", "utf-16", "latin-1")
    return [text.encode(encoding) for encoding in encodings] + [text.replace("\n", "\r\n").encode()]


def mutate_table(generator, content):
    """Tabs, quotes, line ends, marks of encodings and other bytes put in, taken out or exchanged."""
    pieces = (
        b"\t",
        b'"',
        b"\n",
        b"\r",
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"sub-01",
        b"n/a",
        b"\xe4",
        b",",
    )
    content = bytearray(content)
    for _ in range(generator.integers(1, 8)):
        place = int(generator.integers(len(content) + 1))
        length = int(generator.integers(1, 12))
        match generator.integers(4):
            case 0:
                content[place:place] = pieces[generator.integers(len(pieces))]
            case 1:
                content[place : place + length] = b""
            case 2:
                content[place : place + 1] = generator.bytes(1)
            case 3:
                content[place : place + length] = pieces[generator.integers(len(pieces))]
    return bytes(content)


def read_table(path):
    """Read a table and look participants up."""
    participants = read_participants(path)
    for subject, session in (("sub-01", "ses-1"), ("sub-02", ""), ("sub-03", "ses-1")):
        participants.of(subject, session)
