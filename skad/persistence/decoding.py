"""Estimators from a tree of JSON values and a dict of tensors; only constructors of listed classes run."""

from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator
from torch.nn import Module

from skad.persistence.classes import RefusedError, find_class
from skad.training import seeded


class Decoder:
    """The inverse of :class:`skad.persistence.encoding.Encoder`.

    Parameters
    ----------
    tensors : mapping of str to Tensor
    trusted : iterable of classes
        See :func:`skad.persistence.classes.find_class`.
    """

    def __init__(self, tensors, trusted=()):
        self._tensors = tensors
        self._trusted = tuple(trusted)
        self._objects = {}

    def decode(self, node):
        """The value of a node."""
        if isinstance(node, list):
            return [self.decode(item) for item in node]
        if isinstance(node, dict):
            return _DECODERS[node["kind"]](self, node)
        return node

    def _named(self, nodes):
        return {name: self.decode(node) for name, node in nodes.items()}

    def _estimator(self, node):
        cls = self._class(node, BaseEstimator)
        estimator = _construct(cls, self._named(node["params"]))
        self._objects[node["number"]] = estimator
        vars(estimator).update(self._state(cls, node))
        return estimator

    def _module(self, node):
        cls = self._class(node, Module)
        with seeded(0):  # weights are drawn only to be replaced
            module = _construct(cls, self._named(node["config"]))
        module.load_state_dict({name: self._tensors[stored] for name, stored in node["tensors"].items()})
        self._objects[node["number"]] = module
        return module.train(node["training"])

    def _object(self, node):
        cls = self._class(node, object)
        value = self._objects[node["number"]] = object.__new__(cls)
        vars(value).update(self._state(cls, node))
        return value

    def _class(self, node, base):
        cls = find_class(node["class"], self._trusted)
        if not issubclass(cls, base) or (base is object and issubclass(cls, BaseEstimator | Module)):
            raise RefusedError(f"uses the class {node['class']} as what it is not")
        return cls

    def _state(self, cls, node):
        """Attributes of an object; a file may fill them but not put values where the class has methods."""
        for name in node["state"]:
            if name.startswith("__") or callable(getattr(cls, name, None)):
                raise RefusedError(f"would replace {node['class']}.{name}")
        return self._named(node["state"])

    def _array(self, node):
        array = self._tensors[node["tensor"]].numpy()
        return array.T if node["by_columns"] else array

    def _objects_array(self, node):
        array = np.empty(len(node["values"]), dtype=_dtype(node["dtype"], "OU"))
        array[:] = self.decode(node["values"])
        return array.reshape(node["shape"])

    def _scalar(self, node):
        return _dtype(node["dtype"], "biufU").type(self.decode(node["value"]))

    def _random_state(self, node):
        generator = np.random.RandomState()
        generator.set_state(self.decode(node["state"]))
        return generator


def _construct(cls, arguments):
    try:
        return cls(**arguments)
    except TypeError as error:
        raise RefusedError(
            f"holds a {cls.__name__} that this installation cannot build ({error}): "
            "install the version that wrote it"
        ) from error


def _dtype(name, kinds):
    dtype = np.dtype(name)
    if dtype.kind not in kinds:
        raise RefusedError(f"holds values of dtype {name}")
    return dtype


_DECODERS = {
    "estimator": Decoder._estimator,
    "module": Decoder._module,
    "object": Decoder._object,
    "reference": lambda self, node: self._objects[node["number"]],
    "array": Decoder._array,
    "objects": Decoder._objects_array,
    "scalar": Decoder._scalar,
    "tensor": lambda self, node: self._tensors[node["tensor"]],
    "random_state": Decoder._random_state,
    "float": lambda self, node: float(node["value"]),
    "dict": lambda self, node: {self.decode(key): self.decode(value) for key, value in node["items"]},
    "tuple": lambda self, node: tuple(self.decode(node["items"])),
    "set": lambda self, node: set(self.decode(node["items"])),
    "path": lambda self, node: Path(node["value"]),
}
