"""The file of a fitted estimator: a safetensors file whose header holds the rest as JSON."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import sklearn
import torch
from sklearn.base import BaseEstimator

from skad.persistence.classes import RefusedError
from skad.persistence.decoding import Decoder
from skad.persistence.encoding import Encoder
from skad.persistence.limits import HEADER_BYTES
from skad.utils.files import written_whole
from skad.utils.typing import PathLike
from skad.version import __version__

FORMAT = 1
_KEY = (
    "skad"  # the only key: safetensors does not keep the order of several, and equal models give equal files
)


class LoadError(ValueError):
    """A file cannot be loaded; the message names the file and the remedy in one sentence.

    See Also
    --------
    skad.load : Raises it.

    Examples
    --------
    >>> import skad
    >>> from skad.persistence import LoadError
    >>> try:
    ...     skad.load("missing.skad")
    ... except LoadError as error:
    ...     print(error)
    missing.skad is not a file: check the path.
    """


def save(estimator: object, path: PathLike) -> None:
    """Write a fitted estimator to one file, without pickle.

    Parameters
    ----------
    estimator : estimator
        Of skad, of scikit-learn or your own: its parameters and everything it learned, nested estimators and
        torch modules included. Settings of the run (``n_jobs``, ``device``, ``verbose``, ``memory``,
        ``callbacks``) are left out. A torch module should store its constructor arguments as attributes of
        the same names.
    path : path-like
        For example ``"adm.skad"``. Replaced if it exists; it appears complete or not at all.

    Raises
    ------
    ValueError
        The estimator holds something a file cannot hold (the message says where), or the path cannot be
        written.

    See Also
    --------
    skad.load : Reads the file.

    Notes
    -----
    The format is safetensors (arrays and weights) with a JSON header (everything else);
    ``safetensors.safe_open`` shows both. Equal estimators give equal files.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import skad
    >>> from sklearn.mixture import GaussianMixture
    >>> path = os.path.join(tempfile.mkdtemp(), "mixture.skad")
    >>> skad.save(GaussianMixture().fit(np.eye(3)), path)
    >>> skad.load(path).means_
    array([[0.33333333, 0.33333333, 0.33333333]])
    """
    if not isinstance(estimator, BaseEstimator):
        raise ValueError(f"estimator should be a scikit-learn estimator, got {type(estimator).__name__}.")
    encoder = Encoder()
    header = {
        "format": FORMAT,
        "versions": {
            "skad": __version__,
            "torch": torch.__version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
        },
        "root": encoder.encode(estimator, type(estimator).__name__),
    }
    content = safetensors.torch.save(encoder.tensors, metadata={_KEY: json.dumps(header, allow_nan=False)})
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def load(path: PathLike, *, trusted: Iterable[type] = ()) -> Any:
    """Load an estimator from a file written by :func:`save`, without executing code from the file.

    Parameters
    ----------
    path : path-like
        The file.
    trusted : iterable of classes, default=()
        Your own classes that the file may use, beside skad's public estimators, their networks and some
        estimators of scikit-learn.

    Returns
    -------
    estimator
        The fitted estimator, with its networks on the CPU; its scores are bit for bit those of the saved
        one. ``n_jobs``, ``device``, ``verbose``, ``memory`` and ``callbacks`` have their defaults.

    Raises
    ------
    LoadError
        The file does not exist, is a pickle, is damaged, was written by a newer version, or names a class
        that is not trusted.

    See Also
    --------
    skad.save : Writes the file.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import skad
    >>> from skad.scoring import IntensityScorer
    >>> X = np.arange(6.0).reshape(1, 1, 2, 3)
    >>> path = os.path.join(tempfile.mkdtemp(), "intensity.skad")
    >>> skad.save(IntensityScorer(smoothing=0).fit(X), path)
    >>> skad.load(path)
    IntensityScorer(smoothing=0)
    """
    path = Path(path)
    header, tensors = _read(path)
    try:
        return _decode(json.loads(header), tensors, trusted)
    except RefusedError as error:
        raise LoadError(f"{path} {error}.") from error
    except Exception as error:  # a damaged header can fail anywhere, and a caller should see one error
        detail = f"{type(error).__name__}: {_one_line(error)}"
        raise LoadError(f"{path} is damaged ({detail}): copy it again or save it anew.") from error


def _decode(header, tensors, trusted):
    if header["format"] > FORMAT:
        raise RefusedError(
            f"was written by skad {header['versions']['skad']} in format {header['format']}, "
            f"but skad {__version__} reads formats up to {FORMAT}: upgrade skad"
        )
    estimator = Decoder(tensors, trusted).decode(header["root"])
    if not isinstance(estimator, BaseEstimator):
        raise RefusedError(f"holds a {type(estimator).__name__}, which is not an estimator")
    return estimator


def _read(path):
    """JSON header and tensors of a file, with everything that is not a whole safetensors file refused."""
    if not path.is_file():
        raise LoadError(f"{path} is not a file: check the path.")
    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError as error:
        raise LoadError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    if start[8:] != b"{":
        raise LoadError(f"{path} {_what_else(start)}")
    if int.from_bytes(start[:8], "little") > HEADER_BYTES:
        raise LoadError(f"{path} claims a header of more than {HEADER_BYTES} bytes: no skad file has one.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # not tied to the file
    except safetensors.SafetensorError as error:
        detail = _one_line(error)
        raise LoadError(
            f"{path} is damaged or cut short ({detail}): copy it again or save it anew."
        ) from error
    if header is None:
        raise LoadError(f"{path} holds tensors but no skad estimator: give a file that skad.save wrote.")
    return header, tensors


def _what_else(start):
    if start[:1] == b"\x80" or start[:2] == b"PK":
        return (
            "is a pickle, which may run any code when loaded, so skad does not: "
            "load it with the program that wrote it and save it again with skad.save."
        )
    return "is not a file that skad.save wrote, or only its beginning: check the path or copy it again."


def _one_line(error):
    return " ".join(str(error).split())
