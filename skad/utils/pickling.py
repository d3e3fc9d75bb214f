"""What pickle, and the keys of a joblib cache, see of an estimator."""

import io
import pickle
import uuid

import numpy as np
import torch

from skad.version import __version__

_VERSION, _DRAW = "_skad_version", "_skad_draw"


class StableStateMixin:
    """Make ``joblib.hash`` of an estimator the same exactly where its fit would be.

    `joblib.Memory` takes the hash of an estimator's pickle as its key. torch writes the addresses of its
    memory into pickles, so networks are turned into bytes that depend on what they hold only. An unfitted
    estimator with ``random_state=None`` learns something else at every fit, so it hashes differently every
    time. Another version of skad may learn something else too.
    """

    def __getstate__(self):
        state = {name: _pack(value) for name, value in super().__getstate__().items()}
        if state.get("random_state", 0) is None and not self.__sklearn_is_fitted__():
            state[_DRAW] = uuid.uuid4().hex
        return {**state, _VERSION: __version__}

    def __setstate__(self, state):
        super().__setstate__(
            {name: _unpack(value) for name, value in state.items() if name not in (_VERSION, _DRAW)}
        )


class _Pickler(pickle._Pickler):
    """Writes equal strings alike, whether or not they are the same object."""

    def memoize(self, obj):
        if not isinstance(obj, str):
            super().memoize(obj)


class _ByValue:
    """What torch asks of a pickle module."""

    Pickler = _Pickler


class _PackedModule:
    """A network as bytes."""

    def __init__(self, module):
        file = io.BytesIO()
        torch.save(module, file, pickle_module=_ByValue)
        self.content = file.getvalue()


def _pack(value):
    return _PackedModule(value) if isinstance(value, torch.nn.Module) else value


def _unpack(value):
    if isinstance(value, np.memmap):
        return np.array(value)  # of a cache with mmap_mode: torch wants to write, and files go
    if not isinstance(value, _PackedModule):
        return value
    return torch.load(io.BytesIO(value.content), map_location="cpu", weights_only=False)  # inside a pickle
