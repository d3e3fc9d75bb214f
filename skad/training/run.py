"""A training in progress, as its hooks and steps see it."""

import contextlib
from dataclasses import dataclass, field
from typing import Any

import torch

from skad.training.device import autocast


@dataclass
class Run:
    """What a training has come to.

    Attributes
    ----------
    module : torch.nn.Module
        The network being trained.
    device : torch.device
        Where it is trained.
    dtype : torch.dtype or None
        Of mixed precision; None for float32.
    optimizers : dict of str to torch.optim.Optimizer
    curves : dict of str to list of float
        Mean of every recorded loss in each finished epoch.
    n_steps : int
        Finished calls of the training's step, counted over all epochs, also those before a resumption.
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
