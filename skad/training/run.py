"""A training in progress, as its hooks and steps see it."""

import contextlib
from dataclasses import dataclass, field
from typing import Any

import torch

from skad.training.device import autocast


@dataclass
class Run:
    """State of a training in progress, as its hooks see it.

    Attributes
    ----------
    module : torch.nn.Module
        The network being trained.
    device : torch.device
        Device that it is trained on.
    dtype : torch.dtype or None
        Type of mixed precision; None for float32.
    optimizers : dict of str to torch.optim.Optimizer
        The optimizers by name.
    curves : dict of str to list of float
        Mean of every recorded loss in each finished epoch.
    n_steps : int
        Number of finished steps over all epochs, including those before a resumption.

    See Also
    --------
    skad.training.Training : Passes it to its hooks.

    Examples
    --------
    >>> import torch
    >>> from skad.training import Run
    >>> run = Run(torch.nn.Linear(2, 1), torch.device("cpu"), None, curves={"loss": [0.5, 0.4]})
    >>> run.epoch
    2
    """

    module: Any
    device: torch.device
    dtype: torch.dtype | None
    optimizers: dict[str, torch.optim.Optimizer] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    n_steps: int = 0

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(next(iter(self.curves.values()), []))

    def autocast(self) -> contextlib.AbstractContextManager:
        """Mixed precision around a forward pass, as the training asks for it."""
        return autocast(self.device, self.dtype)
