"""What the parameters mean that all estimators with a network share, written once."""

import inspect
from typing import TypeVar

Estimator = TypeVar("Estimator")

_DESCRIPTIONS = {
    "device": """device : str, default="auto"
    Where the network runs: "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:N".""",
    "precision": """precision : {"auto", "fp32", "bf16"}, default="auto"
    "auto" is bf16 autocast on a GPU that has it and fp32 on a CPU.""",
    "random_state": """random_state : int, RandomState or None, default=None
    Seeds the weights, the order of the slices and everything that is drawn; an int makes the result
    reproducible on the same machine.""",
    "verbose": """verbose : int or bool, default=False
    Show a progress bar with the loss.""",
    "callbacks": """callbacks : list of skorch callbacks or None, default=None
    Learning-rate schedules, early stopping and the like; copied for each fit.""",
    "warm_start": """warm_start : bool, default=False
    Continue from the network of the last fit.""",
}


def describe_training(cls: type[Estimator]) -> type[Estimator]:
    """Class decorator that fills in the descriptions of parameters shared by estimators with a network.

    A line ``{device}``, ``{precision}``, ``{random_state}``, ``{verbose}``,
    ``{callbacks}`` or ``{warm_start}`` becomes the entry of that name, so that ``help()`` shows it; an
    estimator in which a parameter means something else describes it itself.

    Parameters
    ----------
    cls : class
        The estimator; its docstring is modified.

    Returns
    -------
    class
        `cls`.

    See Also
    --------
    skad.training.Training : Takes these parameters.

    Examples
    --------
    >>> @describe_training
    ... class Network:
    ...     '''Something trained.
    ...
    ...     {verbose}
    ...     '''
    >>> print(Network.__doc__)
    Something trained.
    <BLANKLINE>
    verbose : int or bool, default=False
        Show a progress bar with the loss.
    """
    if cls.__doc__:  # none under python -OO
        lines = inspect.cleandoc(cls.__doc__).splitlines()
        entries = {f"{{{name}}}": entry for name, entry in _DESCRIPTIONS.items()}
        cls.__doc__ = "\n".join(entries.get(line, line) for line in lines)
    return cls
