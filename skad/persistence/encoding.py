"""Estimators to a tree of JSON values and a flat dict of tensors."""

import math
import warnings

import numpy as np
import torch
from sklearn.base import BaseEstimator

from skad.persistence.classes import RUN_TIME, public_name
from skad.utils.modules import module_config

_PLAIN = (bool, int, str, type(None))


class Encoder:
    """Turns values into JSON nodes; arrays go to ``tensors`` and leave their name in the node.

    A node is a plain JSON value, a list, or a dict with a "kind". An object met twice becomes a reference, so
    that what was one object is one object after loading.

    Attributes
    ----------
    tensors : dict of str to Tensor
        Contiguous, on the CPU, sharing memory with nothing.
    """

    def __init__(self):
        self.tensors = {}
        self._numbers = {}
        self._alive = []  # keeps ids unique while encoding

    def encode(self, value, where):
        """The node of a value.

        Parameters
        ----------
        value : object
        where : str
            How the value is reached, for tensor names and messages.

        Raises
        ------
        ValueError
            The value, or something in it, is of a kind that a file cannot hold; the message says where.
        """
        if type(value) in _PLAIN or (type(value) is float and math.isfinite(value)):
            return value
        if type(value) is list:
            return self._items(value, where)
        for kinds, encode in _ENCODERS:
            if isinstance(value, kinds):
                return encode(self, value, where)
        raise _unsavable(value, where)

    def _items(self, values, where):
        return [self.encode(value, f"{where}.{i}") for i, value in enumerate(values)]

    def _named(self, values, where):
        return {name: self.encode(value, f"{where}.{name}") for name, value in values.items()}

    def _once(self, value, where, encode):
        if id(value) in self._numbers:
            return {"kind": "reference", "number": self._numbers[id(value)]}
        number = self._numbers[id(value)] = len(self._numbers)
        self._alive.append(value)
        return {"number": number, "class": public_name(type(value)), **encode(value, where)}

    def _estimator(self, estimator, where):
        params = estimator.get_params(deep=False)
        state = {name: value for name, value in vars(estimator).items() if name not in params}
        if params.get("callbacks"):
            warnings.warn(f"callbacks of {where} are used in training only and are not saved.", stacklevel=2)
        kept = {name: value for name, value in params.items() if name not in RUN_TIME}
        return {
            "kind": "estimator",
            "params": self._named(kept, where),
            "state": self._named(state, where),
        }

    def _module(self, module, where):
        config = _config(module, where)
        state = module.state_dict()
        _check_rebuilds(module, config, state, where)
        names = {name: self._store(tensor, f"{where}.{name}") for name, tensor in state.items()}
        return {
            "kind": "module",
            "config": self._named(config, where),
            "tensors": names,
            "training": module.training,
        }

    def _array(self, array, where):
        if type(array) not in (np.ndarray, np.memmap):
            raise _unsavable(array, where)
        if array.dtype.kind in "OU":
            values = self._items(array.ravel().tolist(), where)
            return {"kind": "objects", "dtype": array.dtype.str, "shape": list(array.shape), "values": values}
        # The order in memory decides the order of sums in BLAS, and so the last bit of a score.
        by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
        native = np.array(array.T if by_columns else array, dtype=array.dtype.newbyteorder("="), order="C")
        try:
            tensor = torch.from_numpy(native)
        except TypeError as error:
            raise _unsavable(array, where, f" of dtype {array.dtype}") from error
        return {"kind": "array", "tensor": self._store(tensor, where), "by_columns": by_columns}

    def _scalar(self, value, where):
        if value.dtype.kind not in "biufU" or value.dtype == np.longdouble:
            raise _unsavable(value, where)
        return {"kind": "scalar", "dtype": value.dtype.str, "value": self.encode(value.item(), where)}

    def _store(self, tensor, where):
        name = where
        while name in self.tensors:
            name += "'"
        self.tensors[name] = tensor.detach().cpu().contiguous().clone()
        return name

    def _random_state(self, generator, where):
        return {"kind": "random_state", "state": self.encode(generator.get_state(legacy=False), where)}

    def _mapping(self, values, where):
        if type(values) is not dict:
            raise _unsavable(values, where)
        items = [[self.encode(k, where), self.encode(v, f"{where}.{k}")] for k, v in values.items()]
        return {"kind": "dict", "items": items}

    def _tuple(self, values, where):
        if type(values) is not tuple:
            raise _unsavable(values, where)
        return {"kind": "tuple", "items": self._items(values, where)}

    def _set(self, values, where):
        return {"kind": "set", "items": self._items(sorted(values, key=repr), where)}

    def _float(self, value, where):
        return {"kind": "float", "value": repr(value)}

    def _tensor(self, value, where):
        return {"kind": "tensor", "tensor": self._store(value, where)}


def _config(module, where):
    try:
        return module_config(module)
    except ValueError as error:
        raise ValueError(f"{where} cannot be saved: {error}") from error


def _check_rebuilds(module, config, state, where):
    """Find out now, not at loading, that a module does not come back from its constructor arguments."""
    with torch.device("meta"):
        rebuilt = type(module)(**config).state_dict()
    shapes, rebuilt_shapes = ({name: t.shape for name, t in s.items()} for s in (state, rebuilt))
    if shapes != rebuilt_shapes:
        odd = sorted({name for name, _ in shapes.items() ^ rebuilt_shapes.items()})
        raise ValueError(
            f"{where} cannot be saved: {type(module).__name__}, built again from its constructor arguments, "
            f"has a different {odd[0]!r}."
        )


def _unsavable(value, where, what=""):
    return ValueError(
        f"{where} is a {type(value).__name__}{what}, which a skad file cannot hold: "
        "use numbers, strings, arrays, lists, dicts, torch modules or estimators."
    )


_ENCODERS = [
    (BaseEstimator, lambda self, value, where: self._once(value, where, self._estimator)),
    (torch.nn.Module, lambda self, value, where: self._once(value, where, self._module)),
    (torch.Tensor, Encoder._tensor),
    (np.ndarray, Encoder._array),
    (np.generic, Encoder._scalar),
    (np.random.RandomState, Encoder._random_state),
    (float, Encoder._float),
    (dict, Encoder._mapping),
    (tuple, Encoder._tuple),
    (set, Encoder._set),
]
