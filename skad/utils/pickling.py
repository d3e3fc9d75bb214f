"""What pickle, and the keys of a joblib cache, see of an estimator."""

import uuid

import numpy as np
import safetensors.torch
import torch

from skad.utils.modules import module_config, rebuild_module
from skad.version import __version__

_VERSION, _DRAW = "_skad_version", "_skad_draw"


class StableStateMixin:
    """Make ``joblib.hash`` of an estimator the same exactly where its fit would be.

    `joblib.Memory` takes the hash of an estimator's pickle as its key. torch writes the addresses of its
    memory into pickles, so networks are kept as their class, their constructor's arguments and the bytes of
    their weights, which depend on what they hold only and are read without running code. An unfitted
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


class _PackedModule:
    """A network as its class, its constructor's arguments and its weights in the safetensors format."""

    def __init__(self, module, config):
        self.cls, self.config, self.training = type(module), config, module.training
        weights = {name: tensor.cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
        self.weights = safetensors.torch.save(weights)

    def unpack(self):
        weights = safetensors.torch.load(self.weights)
        return rebuild_module(self.cls, self.config, weights, training=self.training)


def _pack(value):
    if not isinstance(value, torch.nn.Module):
        return value
    try:
        return _PackedModule(value, module_config(value))
    except ValueError:  # cannot be rebuilt from its constructor's arguments: left to pickle itself
        return value


def _unpack(value):
    if isinstance(value, np.memmap):
        return np.array(value)  # of a cache with mmap_mode: torch wants to write, and files go
    return value.unpack() if isinstance(value, _PackedModule) else value
