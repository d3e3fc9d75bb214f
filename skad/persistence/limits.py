"""How much a file may ask for, checked before anything is built."""

import contextlib
import re
import threading
from numbers import Real

import numpy as np
from torch.nn.modules import module as torch_hooks

from skad.persistence.classes import RefusedError

HEADER_BYTES = 2**22  # names, parameters and shapes; arrays are not in the header
NODES = 2**17  # values in the header
DEPTH = 64  # of estimators in estimators, lists in lists
CONFIG_NUMBER = 2**14  # a channel, block or class count of a network
CONFIG_LENGTH = 64  # of a list or string among the arguments of a network

_DTYPE = re.compile(r"[<>|=]?[biufOU]\d{0,9}")


def plain_dtype(name, kinds):
    """A numpy dtype of one of some kinds.

    Raises
    ------
    RefusedError
        It is of another kind, or no plain dtype.

    Examples
    --------
    >>> plain_dtype("<f4", "f")
    dtype('float32')
    """
    if not isinstance(name, str) or not _DTYPE.fullmatch(name) or np.dtype(name).kind not in kinds:
        raise RefusedError(f"holds values of dtype {name!r}")
    return np.dtype(name)


def array_of_objects(values, dtype, shape):
    """An array of strings or Python objects, at most as wide as its longest string."""
    dtype = plain_dtype(dtype, "OU")
    longest = max((len(value) for value in values if isinstance(value, str)), default=0)
    if dtype.kind == "U" and dtype.itemsize > 4 * max(longest, 1):
        raise RefusedError(f"holds strings of at most {longest} characters as {dtype}")
    array = np.empty(len(values), dtype=dtype)
    array[:] = values
    return array.reshape(shape)


def random_state(state):
    """A generator that continues at a state.

    Parameters
    ----------
    state : dict
        Of ``RandomState.get_state(legacy=False)``.

    Raises
    ------
    RefusedError
        numpy would read beyond the key, which it does not check itself.
    """
    key, position = state["state"]["key"], state["state"]["pos"]
    fits = isinstance(key, np.ndarray) and key.dtype == np.uint32 and key.shape == (624,)
    if state["bit_generator"] != "MT19937" or not fits or not _is_count(position) or not 0 <= position <= 624:
        raise RefusedError("holds a random generator in a state that does not exist")
    if state["has_gauss"] not in (0, 1) or not isinstance(state["gauss"], Real):
        raise RefusedError("holds a random generator in a state that does not exist")
    generator = np.random.RandomState()
    generator.set_state(state)
    return generator


def check_config(config, name):
    """Raise unless the constructor arguments of a network are few and small.

    Parameters
    ----------
    config : dict
    name : str
        Of the class, for the message.
    """
    for argument, value in config.items():
        if not _is_small(value):
            raise RefusedError(f"asks for a {name} with {argument}={str(value)[:CONFIG_LENGTH]}")


@contextlib.contextmanager
def at_most_parts(count, name):
    """Stop a constructor, in this thread, that registers more parameters than a file has tensors.

    Parameters
    ----------
    count : int
        Tensors in the file for this module.
    name : str
        Of the class, for the message.
    """
    thread, registered = threading.get_ident(), [0]
    limit = 4 * count + CONFIG_LENGTH  # layers without weights, and parts that are put together twice

    def register(*_):
        if threading.get_ident() != thread:
            return
        registered[0] += 1
        if registered[0] > limit:
            raise RefusedError(f"asks for a {name} of more than {limit} parts, but holds {count} tensors")

    hooks = [
        torch_hooks.register_module_parameter_registration_hook(register),
        torch_hooks.register_module_module_registration_hook(register),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _is_small(value):
    if isinstance(value, tuple | list):
        return len(value) <= CONFIG_LENGTH and all(map(_is_small, value))
    if isinstance(value, str):
        return len(value) <= CONFIG_LENGTH
    if _is_count(value):
        return 0 <= value <= CONFIG_NUMBER
    return value is None or (isinstance(value, Real) and np.isfinite(value))


def _is_count(value):
    return isinstance(value, int | np.integer)
