"""How a network is fitted: epochs, batches, optimizers, precision, views and hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Self

import torch
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints
from tqdm.auto import tqdm

from skad.training.checkpoint import next_checkpoint
from skad.training.device import resolve_device, resolve_precision
from skad.training.loop import run_epochs
from skad.training.run import Run
from skad.training.slices import Slices
from skad.utils.ranks import is_main_process
from skad.utils.typing import Array

TRAINING_CONSTRAINTS = {
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "device": [str],
    "precision": [StrOptions({"auto", "fp32", "bf16"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "callbacks": [list, tuple, None],
    "warm_start": ["boolean"],
}
"""Domains of the training parameters that every estimator with a network shares."""

Losses = dict[str, torch.Tensor]
_SETTINGS = ("max_epochs", "batch_size", "lr", "augmentation", "device", "precision", "verbose", "callbacks")


@dataclass(frozen=True, kw_only=True)
class Training:
    """Settings and loop of fitting a network to slices.

    Estimators keep these settings as flat parameters and build a Training from them with :meth:`of`; a
    network of your own is trained by building one directly.

    Parameters
    ----------
    max_epochs : int
        Passes over the slices.
    batch_size : int, default=16
        Slices per step; of each process, where several train together.
    lr : float, default=1e-3
        Learning rate of Adam, the optimizer where `optimizers` is None.
    optimizers : callable, default=None
        ``optimizers(module)`` -> dict of torch optimizers by name. skorch callbacks such as schedules act on
        the first.
    augmentation : callable, default=None
        ``augmentation(images, foreground, *labels)`` -> the same, on the device, such as
        :class:`skad.augmentation.Augmentation`. The background is filled again afterwards.
    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:N".
    precision : {"auto", "fp32", "bf16"}, default="auto"
        "auto" is bf16 autocast on a GPU that has it and fp32 on a CPU.
    callbacks : sequence of skorch callbacks, default=()
        Copied before use.
    on_epoch_start, on_epoch_end : callable, default=None
        Hooks: ``on_epoch_start(run)`` before the first batch of an epoch, ``on_epoch_end(run)`` once its
        losses are in ``run.curves``; `run` is a :class:`Run`. A resumed training does not repeat those of
        finished epochs.
    verbose : bool, default=False
        Show a progress bar with the loss.
    name : str, default="Training"
        What the progress bar, the log and a checkpoint call the training.
    identity : mapping, default={}
        What must be equal, beside the shapes and a sample of the data, for a checkpoint to be resumed.

    See Also
    --------
    skad.training.checkpoint_in : Lets an interrupted training resume.
    skad.training.seeded : Makes a training reproducible.

    Notes
    -----
    Each finished epoch is reported at level INFO of the logger "skad.training", with its loss and the time
    left.

    Several processes started by ``torchrun`` or ``accelerate launch`` train one network together: each takes
    its part of every batch, and every step follows the mean gradient, weighted by the numbers of slices.
    Batch norm uses the statistics of each process's part; the first process alone writes checkpoints, the
    progress bar and the log.

    Examples
    --------
    An average that knows nothing of the image learns the mean of the foreground:

    >>> import numpy as np
    >>> import torch
    >>> from skad.nn.background import foreground_mean
    >>> from skad.training import Training, seeded
    >>> X = np.full((6, 1, 7, 9), 2.0, dtype="float32")
    >>> X[:, :, :3] = np.nan  # background
    >>> class Constant(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.value = torch.nn.Parameter(torch.zeros(()))
    >>> def loss(module, images, foreground):
    ...     return {"loss": foreground_mean((images - module.value).square(), foreground)}
    >>> training = Training(max_epochs=200, batch_size=3, lr=0.05)
    >>> with seeded(0):
    ...     module = Constant()
    ...     curves = training.fit(module, X, loss, background=[0.0])
    >>> round(module.value.item(), 2), len(curves["loss"])
    (2.0, 200)
    """

    max_epochs: int
    batch_size: int = 16
    lr: float = 1e-3
    optimizers: Callable[[Any], dict[str, torch.optim.Optimizer]] | None = None
    augmentation: Callable | None = None
    device: str = "auto"
    precision: str = "auto"
    callbacks: Sequence | None = ()
    on_epoch_start: Callable[[Run], object] | None = None
    on_epoch_end: Callable[[Run], object] | None = None
    verbose: bool | int = False
    name: str = "Training"
    identity: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self):
        settings = {each.name: getattr(self, each.name) for each in fields(self)}
        domains = {name: domain for name, domain in TRAINING_CONSTRAINTS.items() if name in settings}
        validate_parameter_constraints(domains, {n: settings[n] for n in domains}, caller_name="Training")

    @classmethod
    def of(cls, estimator: Any, **changes: Any) -> Self:
        """The training that an estimator's parameters ask for.

        Parameters
        ----------
        estimator : object
            With ``get_params`` and any of the attributes max_epochs, batch_size, lr, augmentation, device,
            precision, verbose and callbacks.
        **changes
            Parameters of Training that replace them.

        Returns
        -------
        Training
        """
        settings = {name: getattr(estimator, name) for name in _SETTINGS if hasattr(estimator, name)}
        identity = {"name": type(estimator).__name__, "identity": estimator.get_params()}
        return cls(**(identity | settings | changes))

    def fit(
        self,
        module: Any,
        X: Array,
        loss: Callable[..., Losses] | None = None,
        *,
        background: Any,
        y: Array | None = None,
        step: Callable[..., Losses] | None = None,
    ) -> dict[str, list[float]]:
        """Train a network on the slices of X that have foreground.

        Call it inside :func:`skad.training.seeded`.

        Parameters
        ----------
        module : torch.nn.Module
            Trained in place; afterwards on the CPU in evaluation mode.
        X : ndarray of shape (n_samples, n_contrasts, height, width)
            Or pairs (n_samples, 2, n_contrasts, height, width). NaN background; a memory map is read slice by
            slice.
        loss : callable, default=None
            ``loss(module, images, foreground)`` -> dict of scalar Tensors: "loss" is minimized, all are
            recorded.
        background : array-like of shape (n_contrasts,)
            What replaces NaN before the network.
        y : int ndarray of shape (n_samples, height, width), default=None
            Labels of the pixels: `augmentation` and `loss` (or `step`) get those of the batch, an int64
            Tensor, as a further argument.
        step : callable, default=None
            Instead of `loss`, for several players: ``step(run, images, foreground)`` -> dict of scalar
            Tensors. It calls backward and the optimizers of `run`, a :class:`Run`, itself.

        Returns
        -------
        dict of str to list of float
            Mean of every recorded loss over the slices, per epoch.

        Raises
        ------
        DivergenceError
            A loss became NaN or infinite.
        MemoryError
            The device is out of memory; the message names a batch size that fits.
        ValueError
            No slice has foreground.

        Notes
        -----
        skorch's EarlyStopping ends the training without an error; any other KeyboardInterrupt passes through.
        """
        device = resolve_device(self.device)
        run = Run(module, device=device, dtype=resolve_precision(self.precision, device))
        slices = Slices(X, y)
        checkpoint = next_checkpoint(self.name, self._fingerprinted(), X, *([] if y is None else [y]))
        step = step or _minimize(loss)
        hidden = not (self.verbose and is_main_process())
        try:
            with tqdm(total=self.max_epochs, desc=self.name, unit="epoch", disable=hidden) as bar:
                run_epochs(
                    self, run, slices, step=step, background=background, checkpoint=checkpoint, bar=bar
                )
        finally:
            module.zero_grad(set_to_none=True)
            module.cpu().eval()
        return run.curves

    def _fingerprinted(self):
        own = {name: getattr(self, name) for name in ("batch_size", "lr", "precision", "augmentation")}
        return own | dict(self.identity)

    def make_optimizers(self, module: Any) -> dict[str, torch.optim.Optimizer]:
        """The optimizers of a network by name; one Adam unless `optimizers` says otherwise."""
        if self.optimizers is not None:
            return self.optimizers(module)
        return {"adam": torch.optim.Adam(module.parameters(), lr=self.lr)}


def _minimize(loss):
    """The step of a single player: forward in the run's precision, backward, one step of its optimizer."""

    def step(run, *batch):
        (optimizer,) = run.optimizers.values()
        with run.autocast():
            losses = loss(run.module, *batch)
        optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        optimizer.step()
        return losses

    return step
