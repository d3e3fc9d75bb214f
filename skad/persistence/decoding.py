"""Estimators from a tree of JSON values and a dict of tensors; only constructors of listed classes run."""

import inspect

from sklearn.base import BaseEstimator
from torch.nn import Module

from skad.persistence.classes import RUN_TIME, RefusedError, find_class, is_network
from skad.persistence.limits import (
    DEPTH,
    NODES,
    array_of_objects,
    at_most_parts,
    check_config,
    plain_dtype,
    random_state,
)
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
        self._left, self._depth = NODES, 0

    def decode(self, node):
        """The value of a node."""
        self._left -= 1
        if self._left < 0:
            raise RefusedError(f"holds more than {NODES} values beside its arrays")
        if not isinstance(node, list | dict):
            return node
        self._depth += 1
        if self._depth > DEPTH:
            raise RefusedError(f"nests its values deeper than {DEPTH} levels")
        value = self._list(node) if isinstance(node, list) else _DECODERS[node["kind"]](self, node)
        self._depth -= 1
        return value

    def _list(self, nodes):
        return [self.decode(node) for node in nodes]

    def _named(self, nodes):
        return {name: self.decode(node) for name, node in nodes.items()}

    def _estimator(self, node):
        cls = self._class(node, BaseEstimator)
        estimator = _construct(cls, self._params(cls, node))
        if hasattr(cls, "_parameter_constraints"):
            estimator._validate_params()
        self._objects[node["number"]] = estimator
        vars(estimator).update(self._state(cls, node))
        return estimator

    def _module(self, node):
        cls, name = self._class(node, Module), node["class"]
        weights = {part: self._tensors.pop(stored) for part, stored in node["tensors"].items()}
        if any(not tensor.isfinite().all() for tensor in weights.values()):
            raise RefusedError(f"holds a {name} whose weights are not finite")
        config = self._named(node["config"])
        if is_network(name):
            check_config(config, name)
        with at_most_parts(len(weights), name):
            module = _built(cls, rebuild_module, cls, config, weights, training=node["training"] is True)
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
        """What an estimator learned; a file may not replace methods, settings or what the class defines."""
        params = inspect.signature(cls).parameters
        for name in node["state"]:
            if name.startswith("__") or name in params or _is_of_the_class(cls, name):
                raise RefusedError(f"would replace {node['class']}.{name}")
        return self._named(node["state"])

    def _array(self, node):
        array = self._tensors.pop(node["tensor"]).numpy()
        return array.T if node["by_columns"] else array

    def _objects_array(self, node):
        return array_of_objects(self.decode(node["values"]), node["dtype"], node["shape"])

    def _scalar(self, node):
        return plain_dtype(node["dtype"], "biufU").type(self.decode(node["value"]))


def _construct(cls, arguments):
    return _built(cls, cls, **arguments)


def _is_required(parameter):
    return parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD


def _is_of_the_class(cls, name):
    """Methods, properties and the private settings of a class; a public default may be learned anew."""
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


_DECODERS = {
    "estimator": Decoder._estimator,
    "module": Decoder._module,
    "reference": lambda self, node: self._objects[node["number"]],
    "array": Decoder._array,
    "objects": Decoder._objects_array,
    "scalar": Decoder._scalar,
    "tensor": lambda self, node: self._tensors.pop(node["tensor"]),
    "random_state": lambda self, node: random_state(self.decode(node["state"])),
    "float": lambda self, node: float(node["value"]),
    "dict": lambda self, node: {self.decode(key): self.decode(value) for key, value in node["items"]},
    "tuple": lambda self, node: tuple(self.decode(node["items"])),
    "set": lambda self, node: set(self.decode(node["items"])),
}
