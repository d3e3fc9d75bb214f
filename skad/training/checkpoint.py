"""An interrupted fit goes on from its last finished epoch."""

import contextlib
import contextvars
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skad.utils.files import written_whole

_active: contextvars.ContextVar[Any] = contextvars.ContextVar("skad_checkpoints", default=None)


class CheckpointMismatchError(ValueError):
    """A checkpoint belongs to another training, with other parameters or data.

    See Also
    --------
    skad.training.checkpoint_in : Raises it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skad.reconstruction import DenoisingReconstructor
    >>> from skad.training import CheckpointMismatchError, checkpoint_in
    >>> X, folder = np.random.default_rng(0).normal(size=(4, 1, 12, 16)), tempfile.mkdtemp()
    >>> denoise = DenoisingReconstructor(width=2, depth=1, max_epochs=1, random_state=0)
    >>> with checkpoint_in(folder):
    ...     _ = denoise.fit(X)
    >>> try:
    ...     with checkpoint_in(folder):
    ...         denoise.fit(X[:3])
    ... except CheckpointMismatchError:
    ...     print("other data")
    other data
    """


class DamagedCheckpointError(ValueError):
    """A checkpoint cannot be read, for example because it is truncated.

    See Also
    --------
    skad.training.checkpoint_in : Raises it.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from skad.reconstruction import DenoisingReconstructor
    >>> from skad.training import DamagedCheckpointError, checkpoint_in
    >>> X, folder = np.random.default_rng(0).normal(size=(4, 1, 12, 16)), tempfile.mkdtemp()
    >>> denoise = DenoisingReconstructor(width=2, depth=1, max_epochs=1, random_state=0)
    >>> with checkpoint_in(folder):
    ...     _ = denoise.fit(X)
    >>> name, = os.listdir(folder)
    >>> os.truncate(os.path.join(folder, name), 100)
    >>> try:
    ...     with checkpoint_in(folder):
    ...         denoise.fit(X)
    ... except DamagedCheckpointError:
    ...     print("truncated")
    truncated
    """


@contextlib.contextmanager
def checkpoint_in(folder: str | os.PathLike | None) -> Iterator[None]:
    """Context in which each training writes checkpoints to a folder and resumes from those found there.

    Trainings are numbered in the order in which they start, so that a pipeline resumes in the step that was
    interrupted; finished steps are loaded instead of being trained again.

    Parameters
    ----------
    folder : path-like or None
        Folder of the checkpoints; None disables them.

    See Also
    --------
    skad.training.Training : Writes a checkpoint after each epoch.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from skad.reconstruction import DenoisingReconstructor
    >>> from skad.training import checkpoint_in
    >>> X, folder = np.random.default_rng(0).normal(size=(4, 1, 12, 16)), tempfile.mkdtemp()
    >>> with checkpoint_in(folder):
    ...     _ = DenoisingReconstructor(width=2, depth=1, max_epochs=1, random_state=0).fit(X)
    >>> len(os.listdir(folder))
    1
    """
    token = _active.set(None if folder is None else _Folder(Path(folder)))
    try:
        yield
    finally:
        _active.reset(token)


def next_checkpoint(name, parameters, *arrays):
    """The checkpoint of the training that starts now, or None outside :func:`checkpoint_in`."""
    folder = _active.get()
    return None if folder is None else folder.next(name, parameters, *arrays)


class _Folder:
    def __init__(self, path):
        self.path = path
        self.count = 0

    def next(self, name, parameters, *arrays):
        file = f"{self.count:02d}-{name}.pt"
        self.count += 1
        self.path.mkdir(parents=True, exist_ok=True)
        return Checkpoint(self.path / file, _fingerprint(name, parameters, arrays))


class Checkpoint:
    """State of one training on disk: weights, optimizers, generators, losses. Written whole or not at all."""

    def __init__(self, path, fingerprint):
        self.path = path
        self.fingerprint = fingerprint

    def load(self):
        """The saved state, or None when there is none; it is read without executing code."""
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            fingerprint = state.pop("fingerprint")
        except Exception as error:  # torch names a damaged file in many ways
            raise DamagedCheckpointError(
                f"{self.path} is not a complete checkpoint of skad (truncated, or another file); "
                "remove it to restart."
            ) from error
        if fingerprint != self.fingerprint:
            raise CheckpointMismatchError(
                f"{self.path} was written by a training with other parameters or data; "
                "resume with the same ones or remove the file."
            )
        return state

    def save(self, state):
        """Replace the saved state by ``state``."""
        content = io.BytesIO()  # torch names a full disk in no useful way
        torch.save({"fingerprint": self.fingerprint, **state}, content)
        with written_whole(self.path) as temporary:
            temporary.write_bytes(content.getbuffer())


def _fingerprint(name, parameters, arrays):
    """What must be equal for a training to be the same one: name, parameters, shapes, thin samples."""
    ignored = {"device", "verbose", "callbacks", "max_epochs"}
    described = {key: _describe(value) for key, value in parameters.items() if key not in ignored}
    digest = hashlib.sha256(
        json.dumps([name, described, *(each.shape for each in arrays)], sort_keys=True).encode()
    )
    for each in arrays:
        for i in range(0, len(each), max(1, len(each) // 16)):
            digest.update(each[i].tobytes())
    return digest.hexdigest()


def _describe(value):
    """The same words in every process: no addresses, and the state of a generator instead of its name."""
    if isinstance(value, np.random.RandomState):
        return hashlib.sha256(repr(value.get_state(legacy=False)).encode()).hexdigest()
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
