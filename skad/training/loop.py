"""The epochs of a training, run by skorch: steps, losses, hooks, checkpoints, and memory that ends."""

import copy
import datetime
import logging
import math
import time

import torch
from skorch import NeuralNet
from torch.utils.data import DataLoader, default_collate

from skad.nn.background import fill_background, split_background
from skad.training.callbacks import EpochBounds, has_stopped, restore_states, states_of
from skad.training.device import out_of_memory_alike
from skad.training.monitors import monitors_of
from skad.training.parallel import (
    SharedBatches,
    average_buffers,
    average_gradients,
    draw_apart,
    share_weights,
    weighted_mean,
)
from skad.utils.ranks import is_main_process, n_processes

_log = logging.getLogger("skad.training")


class DivergenceError(ValueError):
    """A loss became NaN or infinite during training.

    See Also
    --------
    skad.training.Training : Raises it.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import DenoisingReconstructor
    >>> from skad.training import DivergenceError
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 12, 16))
    >>> try:
    ...     DenoisingReconstructor(width=2, depth=1, lr=1e30, max_epochs=9, random_state=0).fit(X)
    ... except DivergenceError:
    ...     print("decrease lr")
    decrease lr
    """


def run_epochs(training, run, slices, *, step, background, checkpoint, bar):
    """Train the module of a run to its last epoch.

    Parameters
    ----------
    training : Training
    run : Run
        Its optimizers, curves and number of steps are filled.
    slices : Slices
    step : callable
        ``step(run, images, foreground, *labels)`` -> dict of scalar Tensors.
    background : array-like of shape (n_contrasts,)
    checkpoint : Checkpoint or None
    bar : tqdm
        Counts epochs.

    Raises
    ------
    DivergenceError, MemoryError
        As :meth:`skad.training.Training.fit`.
    """
    net = _Net(
        run.module,
        criterion=torch.nn.Identity,
        max_epochs=training.max_epochs,
        batch_size=training.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        device=run.device,
        verbose=0,
        callbacks=[*copy.deepcopy(list(training.callbacks or [])), *monitors_of(training.name)],
        callbacks__print_log=None,
        callbacks__valid_loss=None,
    )
    net.settings, net.progress, net.step, net.bar, net.checkpoint = training, run, step, bar, checkpoint
    net.background = torch.as_tensor(background, dtype=torch.float32, device=run.device)
    net.sums, net.count, net.n_slices = {}, 0, 0
    if not net.run(slices):
        raise MemoryError(_what_fits(net, slices, training.batch_size))


class _Net(NeuralNet):
    """A skorch net whose step, optimizers and losses are those of a Training; `progress` is its Run."""

    def initialize_optimizer(self, triggered_directly=None):
        self.progress.optimizers = self.settings.make_optimizers(self.module_)
        for optimizer in self.progress.optimizers.values():
            average_gradients(optimizer, lambda: self.n_slices)
        self.optimizer_ = next(iter(self.progress.optimizers.values()))
        return self

    def get_iterator(self, dataset, training=False):
        if n_processes() == 1:
            return super().get_iterator(dataset, training=training)
        return DataLoader(dataset, batch_sampler=SharedBatches(len(dataset), self.batch_size))

    def train_step(self, batch, **fit_params):
        self._set_training(True)
        images, foreground = split_background(batch[0].to(self.device), self.background)
        labels = [each.to(self.device) for each in batch[1:]]
        if self.settings.augmentation is not None:
            images, foreground, *labels = self.settings.augmentation(images, foreground, *labels)
            images = fill_background(images, foreground, self.background)
        self.n_slices = len(images)
        losses = self.step(self.progress, images, foreground, *labels)
        self.progress.n_steps += 1
        losses, self.n_slices = weighted_mean(losses, self.n_slices)
        self._record(losses)
        return {"loss": torch.tensor(losses.get("loss", next(iter(losses.values())))), "y_pred": None}

    def _record(self, losses):
        self.count += self.n_slices
        for name, value in losses.items():
            if not math.isfinite(value):
                raise DivergenceError(
                    f"The {name} became {value} in epoch {self.progress.epoch + 1}; "
                    "a lower learning rate may help."
                )
            self.sums[name] = self.sums.get(name, 0.0) + value * self.n_slices

    def run(self, slices):
        """Train to the last epoch; False when the device runs out of memory.

        No exception then: its traceback would hold the batch that did not fit.
        """
        try:
            self.initialize()
            share_weights(self.module_)
            draw_apart()
            with out_of_memory_alike():
                self._train(slices, None if self.checkpoint is None else self.checkpoint.load())
        except torch.OutOfMemoryError:
            return False
        return True

    def _train(self, slices, state):
        run = self.progress
        run.curves, run.n_steps = (state["curves"], state["n_steps"]) if state else ({}, 0)
        self.bar.update(run.epoch)
        if state and (state["stopped"] or run.epoch >= self.max_epochs):
            self._restore_module(state)
            return
        self.callbacks_.append(("skad", EpochBounds()))
        self.notify("on_train_begin", X=slices, y=None)
        if state:
            self._resume(state)  # after on_train_begin, where schedules are made
        self.clock = _Clock(self.max_epochs - run.epoch)
        stopped = self._run_epochs(slices)
        self.notify("on_train_end", X=slices, y=None)
        self._save(stopped=stopped)

    def _run_epochs(self, slices):
        """Whether a callback stopped early; unlike in skorch's ``fit`` the user's Ctrl-C passes through."""
        try:
            self.fit_loop(slices, epochs=self.max_epochs - self.progress.epoch)
        except KeyboardInterrupt:
            if not has_stopped(self.callbacks_):
                raise
            self.end_epoch()
            return True
        return False

    def start_epoch(self):
        if self.settings.on_epoch_start is not None:
            self.settings.on_epoch_start(self.progress)

    def end_batch(self):
        """skorch means the loss over slices: those of all processes."""
        self.history.record_batch("train_batch_size", self.n_slices)

    def end_epoch(self):
        average_buffers(self.module_)
        for name, total in self.sums.items():
            self.progress.curves.setdefault(name, []).append(total / self.count)
        self.sums, self.count = {}, 0
        loss = self.history[-1, "train_loss"]
        self.bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        self.bar.update()
        if is_main_process():
            _log.info(
                "%s: epoch %d of %d, loss %.4g, %s left",
                *(self.settings.name, self.progress.epoch, self.max_epochs, loss, self.clock.time_left()),
            )
        if self.settings.on_epoch_end is not None:
            self.settings.on_epoch_end(self.progress)
        self._save()

    def _save(self, *, stopped=False):
        if self.checkpoint is not None and is_main_process():
            run = self.progress
            self.checkpoint.save(
                {
                    "module": self.module_.state_dict(),
                    "optimizers": {name: each.state_dict() for name, each in run.optimizers.items()},
                    "callbacks": states_of(self.callbacks_),
                    "generators": [torch.get_rng_state(), *torch.cuda.get_rng_state_all()],
                    "curves": run.curves,
                    "n_steps": run.n_steps,
                    "stopped": stopped,
                }
            )

    def _resume(self, state):
        self._restore_module(state)
        for name, optimizer in self.progress.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        restore_states(self.callbacks_, state["callbacks"])
        for _ in range(self.progress.epoch):
            self.history.new_epoch()  # callbacks count epochs by it

    def _restore_module(self, state):
        """Weights, and the generators for what is drawn next."""
        self.module_.load_state_dict(state["module"])
        cpu, *cuda = state["generators"]
        torch.set_rng_state(cpu)
        torch.cuda.set_rng_state_all(cuda[: torch.cuda.device_count()])
        draw_apart()


class _Clock:
    """The time that the remaining epochs take, from the mean of those since it was made."""

    def __init__(self, n_epochs):
        self.n_epochs, self.n_finished, self.start = n_epochs, 0, time.monotonic()

    def time_left(self):
        """After one more epoch, "h:mm:ss"."""
        self.n_finished += 1
        per_epoch = (time.monotonic() - self.start) / self.n_finished
        return datetime.timedelta(seconds=round(per_epoch * (self.n_epochs - self.n_finished)))


def _what_fits(net, slices, batch_size):
    """Try ever smaller batches, and say which one fits."""
    while batch_size > 1 and net.initialized_:
        batch_size //= 2
        batch = default_collate([slices[i % len(slices)] for i in range(batch_size)])
        try:
            with out_of_memory_alike():
                net.train_step(batch)
        except torch.OutOfMemoryError:
            continue
        return f"Out of memory on {net.device} during training; batch_size={batch_size} fits."
    return (
        f"Out of memory on {net.device} during training even with batch_size=1; "
        "take smaller images, a smaller network, or a device that is free."
    )
