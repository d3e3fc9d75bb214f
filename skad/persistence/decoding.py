"""Estimators from a tree of JSON values and a dict of tensors; only constructors of listed classes run."""

import inspect

import numpy as np
from sklearn.base import BaseEstimator
from torch.nn import Module

from skad.persistence.classes import RUN_TIME, RefusedError, find_class
from skad.utils.modules import rebuild_module


class Decoder:
    """The inverse of :class:`skad.persistence.encoding.Encoder`.

    Parameters
    ----------
    tensors : mapping of str to Tensor
    trusted : iterable of classes
        See :func:`skad.persistence.classes.find_class`.
    """

    def __init__(self, tensors, trusted=()):
        self._tensors = dict(tensors)  # each is taken out once: a file cannot multiply what it holds
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
        estimator = _construct(cls, self._params(cls, node))
        self._objects[node["number"]] = estimator
        vars(estimator).update(self._state(cls, node))
        return estimator

    def _module(self, node):
        cls = self._class(node, Module)
        weights = {name: self._tensors.pop(stored) for name, stored in node["tensors"].items()}
        module = _built(
            cls, rebuild_module, cls, self._named(node["config"]), weights, training=bool(node["training"])
        )
        self._objects[node["number"]] = module
        return module

    def _class(self, node, base):
        cls = find_class(node["class"], self._trusted)
        if not issubclass(cls, base):
            raise RefusedError(f"uses the class {node['class']} as what it is not")
        return cls

    def _params(self, cls, node):
        """Constructor arguments; those of RUN_TIME get their defaults, whatever the file says."""
        params = self._named({name: value for name, value in node["params"].items() if name not in RUN_TIME})
        required = [
            name for name, parameter in inspect.signature(cls).parameters.items() if _is_required(parameter)
        ]
        return params | {name: None for name in required if name in RUN_TIME}

    def _state(self, cls, node):
        """What an estimator learnt; a file may not replace methods, settings or what the class defines."""
        params = inspect.signature(cls).parameters
        for name in node["state"]:
            if name.startswith("__") or name in params or _is_of_the_class(cls, name):
                raise RefusedError(f"would replace {node['class']}.{name}")
        return self._named(node["state"])

    def _array(self, node):
        array = self._tensors.pop(node["tensor"]).numpy()
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
    return _built(cls, cls, **arguments)


def _is_required(parameter):
    return parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD


def _is_of_the_class(cls, name):
    """Methods, properties and the private settings of a class; a public default may be learnt anew."""
    value = inspect.getattr_static(cls, name, None)
    return callable(value) or hasattr(value, "__get__") or (name.startswith("_") and hasattr(cls, name))


def _built(cls, build, *arguments, **named):
    try:
        return build(*arguments, **named)
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
    "reference": lambda self, node: self._objects[node["number"]],
    "array": Decoder._array,
    "objects": Decoder._objects_array,
    "scalar": Decoder._scalar,
    "tensor": lambda self, node: self._tensors.pop(node["tensor"]),
    "random_state": Decoder._random_state,
    "float": lambda self, node: float(node["value"]),
    "dict": lambda self, node: {self.decode(key): self.decode(value) for key, value in node["items"]},
    "tuple": lambda self, node: tuple(self.decode(node["items"])),
    "set": lambda self, node: set(self.decode(node["items"])),
}
