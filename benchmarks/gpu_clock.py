"""Clocks for work that is queued on a GPU."""

import time

import torch
from skorch.callbacks import Callback
from torch.utils.flop_counter import FlopCounterMode


class Epochs(Callback):
    """When each epoch ended; estimators copy their callbacks, this one stays the same."""

    def __init__(self):
        self.ends = []

    def __deepcopy__(self, memo):
        return self

    def on_epoch_end(self, net, **kwargs):
        """Note the time, after the work of the epoch."""
        synchronize(str(net.device))
        self.ends.append(time.monotonic())

    def seconds(self):
        """Median length of an epoch; not of the first, in which kernels are chosen."""
        lengths = sorted(b - a for a, b in zip(self.ends, self.ends[1:], strict=False))
        return lengths[len(lengths) // 2]


def run_epochs(estimator, X, device, *, most, until):
    """Fit for as many epochs as fit into a time, at least two and at most ``most``.

    Returns
    -------
    estimator : fitted
    seconds : float
        Of an epoch.
    n_epochs : int
    """
    epochs = Epochs()
    begin = time.monotonic()
    estimator.set_params(callbacks=[epochs], max_epochs=2).fit(X)
    remaining = until - (time.monotonic() - begin)
    n_epochs = int(min(most, remaining / max(epochs.seconds(), 1e-6)))
    if n_epochs > 2:
        epochs.ends.clear()
        estimator.set_params(max_epochs=n_epochs).fit(X)
    return estimator, epochs.seconds(), max(n_epochs, 2)


def left(deadline):
    """Seconds until then, never less than one."""
    return max(deadline - time.monotonic(), 1.0)


def synchronize(device):
    """Wait until the device has done what was asked for."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def seconds_per_call(function, device, *, at_most, warm_up=3):
    """Mean length of a call, over as many as fit into ``at_most`` seconds; one at least."""
    for _ in range(warm_up):
        function()
    synchronize(device)
    begin, n = time.monotonic(), 0
    while n == 0 or time.monotonic() - begin < at_most:
        function()
        n += 1
        if n % 10 == 0 or at_most == 0:
            synchronize(device)
    synchronize(device)
    return (time.monotonic() - begin) / n


def memory(device):
    """GiB that tensors took at most since the last call; NaN without a GPU."""
    if not device.startswith("cuda"):
        return float("nan")
    most = torch.cuda.max_memory_allocated(device) / 2**30
    torch.cuda.reset_peak_memory_stats(device)
    return most


def flops_of(function):
    """Floating-point operations of the convolutions and matrix products of a call."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()
