"""Torch modules from their class, constructor arguments and weights."""

import inspect

import torch


def module_config(module):
    """Constructor arguments of a torch module, read from its attributes of the same names.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        The module does not store an argument.

    Examples
    --------
    >>> import torch
    >>> module_config(torch.nn.Flatten(start_dim=2))
    {'start_dim': 2, 'end_dim': -1}
    """
    names = list(inspect.signature(type(module)).parameters)
    missing = [name for name in names if not hasattr(module, name)]
    if missing:
        raise ValueError(
            f"{type(module).__name__} should store its constructor argument {missing[0]!r} as an attribute "
            "of that name, to be rebuilt from it."
        )
    return {name: getattr(module, name) for name in names}


def rebuild_module(cls, config, weights, *, training):
    """A module with given weights; the random generators of torch are not used.

    Parameters
    ----------
    cls : subclass of torch.nn.Module
    config : dict
        Constructor arguments.
    weights : dict of str to Tensor
        A ``state_dict``. The module keeps these tensors.
    training : bool
        The mode of the module.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    RuntimeError
        The weights do not fit the module.
    """
    with torch.device("meta"):  # neither memory nor random numbers for weights that are replaced
        module = cls(**config)
    expected = module.state_dict()
    for name in expected.keys() & weights.keys():
        if weights[name].dtype != expected[name].dtype:
            raise RuntimeError(f"{name} should be {expected[name].dtype}, got {weights[name].dtype}")
    weights = {name: _laid_out_as(expected.get(name), tensor) for name, tensor in weights.items()}
    module.load_state_dict(weights, assign=True)
    left = [name for name, tensor in [*module.named_parameters(), *module.named_buffers()] if tensor.is_meta]
    if left:
        raise RuntimeError(f"{cls.__name__} has no stored value for {left[0]!r}")
    return module.train(training)


def _laid_out_as(expected, tensor):
    """The tensor in the memory format that the constructor chose, which decides the order of sums."""
    if expected is None or expected.shape != tensor.shape or expected.stride() == tensor.stride():
        return tensor
    # empty_like of a meta tensor would import sympy and half of torch.fx
    laid_out = torch.empty_strided(
        expected.shape, expected.stride(), dtype=tensor.dtype, device=tensor.device
    )
    return laid_out.copy_(tensor)
