"""Several processes that train one network together, started by `torchrun` or `accelerate launch`."""

from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import Sampler

from skad.utils.ranks import n_processes, rank


def own_share(X: Any) -> Any:
    """The samples that this process works on: every n-th of n processes that train together.

    Parameters
    ----------
    X : sequence
        All samples.

    Returns
    -------
    sequence
        The samples of this process; all of them outside ``torchrun``.

    See Also
    --------
    skad.training.merged : Adds the results.

    Examples
    --------
    >>> from skad.training import own_share
    >>> own_share([1, 2, 3])
    [1, 2, 3]
    """
    return X[rank() :: n_processes()]


def agreed(value: Any) -> Any:
    """The value that the first process has."""
    if n_processes() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(_joined(values), src=0)
    return values[0]


def merged(part: Any) -> Any:
    """Sum of the parts of all processes that train together.

    Parameters
    ----------
    part : object
        The part of this process; parts are added in the order of the processes.

    Returns
    -------
    object
        The sum; `part` itself outside ``torchrun``.

    See Also
    --------
    skad.training.own_share : Divides the samples.

    Examples
    --------
    >>> from skad.training import merged
    >>> merged(3)
    3
    """
    if n_processes() == 1:
        return part
    first, *others = _gathered(part)
    for other in others:
        first = first + other
    return first


def share_weights(module: torch.nn.Module) -> None:
    """Begin with the weights and buffers of the first process."""
    if n_processes() > 1:
        for value in _joined(module).state_dict().values():
            dist.broadcast(value, src=0)


def draw_apart() -> None:
    """Let every process but the first draw random numbers of its own from here on."""
    if rank():
        torch.manual_seed(torch.initial_seed() + rank())


def weighted_mean(values: dict[str, torch.Tensor], weight: int) -> tuple[dict[str, float], int]:
    """Means over all processes, weighted, and the sum of the weights.

    Parameters
    ----------
    values : dict of str to scalar Tensor
    weight : int
        Of this process: its number of slices.
    """
    if n_processes() == 1:
        return {name: float(value.detach()) for name, value in values.items()}, weight
    sums = torch.stack([value.detach().double() * weight for value in values.values()])
    sums = torch.cat([sums, sums.new_tensor([weight])])
    dist.all_reduce(sums)
    *totals, total = sums.tolist()
    return {name: each / total for name, each in zip(values, totals, strict=True)}, int(total)


def average_gradients(optimizer: torch.optim.Optimizer, n_slices: Any) -> None:
    """Make every step of an optimizer use the gradient of all processes' batches as one batch.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    n_slices : callable
        Tells the number of slices in this process's batch.
    """
    if n_processes() == 1:
        return

    def average(optimizer, args, kwargs):
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        weight = parameters[0].grad.new_tensor([float(n_slices())])
        together = torch.cat([weight, *(p.grad.flatten() * weight for p in parameters)])
        dist.all_reduce(together)
        mean = (together[1:] / together[0]).split([p.numel() for p in parameters])
        for parameter, gradient in zip(parameters, mean, strict=True):
            parameter.grad.copy_(gradient.view_as(parameter))

    optimizer.register_step_pre_hook(average)


def average_buffers(module: torch.nn.Module) -> None:
    """Give every process the mean of the statistics that batch norm keeps."""
    for buffer in module.buffers() if n_processes() > 1 else ():
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= n_processes()


class SharedBatches(Sampler):
    """Indices of the batches of one process: its part of batches that all processes draw alike.

    Parameters
    ----------
    n_slices : int
    batch_size : int
        Of each process.

    Notes
    -----
    The order is that of :class:`torch.utils.data.RandomSampler` with the generator of the first process. A
    last batch that leaves a process without a slice is left out.
    """

    def __init__(self, n_slices, batch_size):
        self.n_slices, self.batch_size = n_slices, batch_size

    def __iter__(self):
        seed = agreed(int(torch.empty((), dtype=torch.int64).random_()))
        order = torch.randperm(self.n_slices, generator=torch.Generator().manual_seed(seed)).tolist()
        whole = self.batch_size * n_processes()
        for start in range(0, self.n_slices, whole):
            batch = order[start : start + whole]
            if len(batch) >= n_processes():
                yield own_share(batch)

    def __len__(self):
        whole = self.batch_size * n_processes()
        return self.n_slices // whole + (self.n_slices % whole >= n_processes())


def _joined(value):
    """Its argument, once this process has joined the others."""
    if not dist.is_initialized():
        dist.init_process_group()  # gloo between CPUs, nccl between GPUs
    return value


def _gathered(part):
    parts = [None] * n_processes()
    dist.all_gather_object(parts, _joined(part))
    return parts
