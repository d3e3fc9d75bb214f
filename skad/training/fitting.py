"""Training a torch module with skorch."""

import copy
import math

import numpy as np
import torch
from skorch import NeuralNet
from torch.utils.data import Dataset, default_collate
from tqdm.auto import tqdm

from skad.nn.background import fill_background, split_background
from skad.training.callbacks import EndOfEpoch, has_stopped, restore_states, states_of
from skad.training.checkpoint import next_checkpoint
from skad.training.device import autocast, resolve_device, resolve_precision


class DivergenceError(ValueError):
    """A loss became NaN or infinite during training."""


def fit_module(estimator, module, X, loss, *, background, y=None, augment=None, optimizers=None, step=None):
    """Train ``module`` on the slices of ``X`` that have foreground.

    Call it inside :func:`skad.training.seeded`.

    Parameters
    ----------
    estimator : object
        Carries the shared parameters: max_epochs, batch_size, lr, device, precision, verbose, callbacks.
    module : torch.nn.Module
        Trained in place.
    X : ndarray of shape (n_samples, n_contrasts, height, width) or (n_samples, 2, n_contrasts, height, width)
        NaN background.
    loss : callable or None
        ``loss(module, images, foreground)`` -> dict of scalar tensors; "loss" is minimised, all are logged.
    background : ndarray of shape (n_contrasts,)
        What replaces NaN before the network.
    y : int ndarray of shape (n_samples, height, width), default=None
        Labels of the pixels, for supervised training: ``augment``, ``loss`` and ``step`` are then given those
        of the batch, an int64 Tensor, as one more argument, and ``augment`` returns them as a third value.
    augment : callable, default=None
        ``augment(images, foreground)`` -> (images, foreground), on the device. What it leaves outside its
        foreground is replaced by the background again.
    optimizers : callable, default=None
        ``optimizers(module)`` -> dict of torch optimisers; default one Adam with the estimator's ``lr``.
    step : callable, default=None
        ``step(module, optimizers, images, foreground)`` -> dict of scalar tensors, for games of several
        players: ``optimizers`` is the dict; it calls backward and steps by itself, and asks
        :func:`skad.training.autocast` for mixed precision. Replaces ``loss``.

    Returns
    -------
    dict of str to list of float
        Mean of every logged loss per epoch.

    Raises
    ------
    DivergenceError
        A loss is not finite.
    MemoryError
        The device is out of memory; the message names a batch size that fits.
    ValueError
        No slice has foreground.

    Notes
    -----
    skorch's EarlyStopping ends the training without an error; any other KeyboardInterrupt passes through.
    """
    slices = _Slices(X, y)
    net = _Net(
        module,
        criterion=torch.nn.Identity,
        max_epochs=estimator.max_epochs,
        batch_size=estimator.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        device=resolve_device(estimator.device),
        verbose=0,
        callbacks=copy.deepcopy(list(estimator.callbacks or [])),
        callbacks__print_log=None,
        callbacks__valid_loss=None,
    )
    net.prepare(
        step=step or _minimise(loss, estimator.precision),
        optimizers=optimizers or _adam(estimator.lr),
        background=background,
        augment=augment,
        labelled=y is not None,
        checkpoint=next_checkpoint(estimator, X, *([] if y is None else [y])),
        bar=tqdm(
            total=estimator.max_epochs,
            desc=type(estimator).__name__,
            unit="epoch",
            disable=not estimator.verbose,
        ),
    )
    try:
        if not net.run(slices):
            raise MemoryError(_what_fits(net, slices, estimator.batch_size))
    finally:
        net.bar.close()
        module.zero_grad(set_to_none=True)
        module.cpu().eval()
    return net.curves


class _Slices(Dataset):
    """The slices with foreground, read one by one so that a memory map stays on disk."""

    def __init__(self, X, y=None):
        self.X, self.y = X, y
        self.indices = [i for i in range(len(X)) if not np.isnan(X[i]).all()]
        if not self.indices:
            raise ValueError("X should have foreground to learn from, got only background (NaN) slices.")

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, i):
        i = self.indices[i]
        labels = 0 if self.y is None else np.array(self.y[i], dtype=np.int64)
        return np.array(self.X[i], dtype=np.float32), labels


class _Net(NeuralNet):
    """A skorch net whose step, optimisers and losses are functions of the caller."""

    def prepare(self, *, step, optimizers, background, augment, labelled, checkpoint, bar):
        self.step, self.make_optimizers, self.augment = step, optimizers, augment
        self.labelled = labelled
        self.background = torch.as_tensor(background, dtype=torch.float32, device=self.device)
        self.checkpoint, self.bar = checkpoint, bar
        self.curves, self.sums, self.count = {}, {}, 0

    def initialize_optimizer(self, triggered_directly=None):
        self.optimizers = self.make_optimizers(self.module_)
        self.optimizer_ = next(iter(self.optimizers.values()))
        return self

    def train_step(self, batch, **fit_params):
        self._set_training(True)
        images, foreground = split_background(batch[0].to(self.device), self.background)
        labels = [batch[1].to(self.device)] if self.labelled else []
        if self.augment is not None:
            images, foreground, *labels = self.augment(images, foreground, *labels)
            images = fill_background(images, foreground, self.background)
        losses = self.step(self.module_, self.optimizers, images, foreground, *labels)
        self.count += len(images)
        for name, value in losses.items():
            value = float(value.detach())
            if not math.isfinite(value):
                raise DivergenceError(
                    f"The {name} became {value} in epoch {self.n_epochs + 1}; a lower learning rate may help."
                )
            self.sums[name] = self.sums.get(name, 0.0) + value * len(images)
        return {"loss": losses.get("loss", next(iter(losses.values()))).detach(), "y_pred": None}

    @property
    def n_epochs(self):
        return len(next(iter(self.curves.values()), []))

    def run(self, slices):
        """Train to the last epoch; False when the device runs out of memory.

        No exception then: its traceback would hold the batch that did not fit.
        """
        try:
            self.initialize()
            self._train(slices, None if self.checkpoint is None else self.checkpoint.load())
        except torch.OutOfMemoryError:
            return False
        return True

    def _train(self, slices, state):
        self.curves = state["curves"] if state else {}
        self.bar.update(self.n_epochs)
        if state and (state["stopped"] or self.n_epochs >= self.max_epochs):
            self._restore_module(state)
            return
        self.callbacks_.append(("skad", EndOfEpoch()))
        self.notify("on_train_begin", X=slices, y=None)
        if state:
            self._resume(state)  # after on_train_begin, where schedules are made
        stopped = self._run_epochs(slices)
        self.notify("on_train_end", X=slices, y=None)
        self._save(stopped=stopped)

    def _run_epochs(self, slices):
        """Whether a callback stopped early; unlike in skorch's ``fit`` the user's Ctrl-C passes through."""
        try:
            self.fit_loop(slices, epochs=self.max_epochs - self.n_epochs)
        except KeyboardInterrupt:
            if not has_stopped(self.callbacks_):
                raise
            self.end_epoch()
            return True
        return False

    def end_epoch(self):
        for name, total in self.sums.items():
            self.curves.setdefault(name, []).append(total / self.count)
        self.sums, self.count = {}, 0
        self.bar.set_postfix(loss=f"{self.history[-1, 'train_loss']:.4g}", refresh=False)
        self.bar.update()
        self._save()

    def _save(self, *, stopped=False):
        if self.checkpoint is not None:
            self.checkpoint.save(
                {
                    "module": self.module_.state_dict(),
                    "optimizers": {name: each.state_dict() for name, each in self.optimizers.items()},
                    "callbacks": states_of(self.callbacks_),
                    "generators": [torch.get_rng_state(), *torch.cuda.get_rng_state_all()],
                    "curves": self.curves,
                    "stopped": stopped,
                }
            )

    def _resume(self, state):
        self._restore_module(state)
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        restore_states(self.callbacks_, state["callbacks"])
        for _ in range(self.n_epochs):
            self.history.new_epoch()  # callbacks count epochs by it

    def _restore_module(self, state):
        """Weights, and the generators for what is drawn next."""
        self.module_.load_state_dict(state["module"])
        cpu, *cuda = state["generators"]
        torch.set_rng_state(cpu)
        torch.cuda.set_rng_state_all(cuda[: torch.cuda.device_count()])


def _adam(lr):
    return lambda module: {"adam": torch.optim.Adam(module.parameters(), lr=lr)}


def _minimise(loss, precision):
    """The step of a single player: forward in the asked precision, backward, one step of its optimiser."""

    def step(module, optimizers, *batch):
        (optimizer,) = optimizers.values()
        device = batch[0].device
        with autocast(device, resolve_precision(precision, device)):
            losses = loss(module, *batch)
        optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        optimizer.step()
        return losses

    return step


def _what_fits(net, slices, batch_size):
    """Try ever smaller batches, and say which one fits."""
    while batch_size > 1 and net.initialized_:
        batch_size //= 2
        batch = default_collate([slices[i % len(slices)] for i in range(batch_size)])
        try:
            net.train_step(batch)
        except torch.OutOfMemoryError:
            continue
        return f"Out of memory on {net.device} during training; batch_size={batch_size} fits."
    return (
        f"Out of memory on {net.device} during training even with batch_size=1; "
        "take smaller images, a smaller network, or a device that is free."
    )
