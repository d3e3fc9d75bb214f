"""Where a network runs and in which precision."""

import contextlib
import os
from collections.abc import Iterator

import torch


def resolve_device(device: str = "auto") -> torch.device:
    """The torch device of a ``device`` parameter: "auto" takes a GPU where there is one.

    Raises
    ------
    ValueError
        The device is unknown or not on this machine.
    """
    if device == "auto":
        return _own_gpu() if torch.cuda.is_available() else torch.device("cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f'device should be "auto", "cpu", "cuda" or "cuda:N", got {device!r}.') from error
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {device!r} was asked for, but this machine has {torch.cuda.device_count()} GPUs; "
            'use "auto".'
        )
    return resolved


def _own_gpu():
    """The current GPU; of processes that train together, each takes one."""
    if "LOCAL_RANK" not in os.environ:
        return torch.device("cuda")
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())


def resolve_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """The autocast dtype of a ``precision`` parameter: bfloat16 or None (plain float32).

    "auto" is bf16 on a GPU that has it (compute capability 8 and later) and fp32 elsewhere: on a CPU bf16
    only pays on processors with bf16 instructions.
    """
    if precision == "auto":
        capable = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        precision = "bf16" if capable else "fp32"
    return torch.bfloat16 if precision == "bf16" else None


def autocast(device: torch.device, dtype: torch.dtype | None) -> contextlib.AbstractContextManager:
    """Mixed precision around a forward pass; does nothing when ``dtype`` is None."""
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)


@contextlib.contextmanager
def out_of_memory_alike() -> Iterator[None]:
    """Raise torch.OutOfMemoryError where a CPU is out of memory, as a GPU does; torch has no class for it.

    Examples
    --------
    >>> try:
    ...     with out_of_memory_alike():
    ...         torch.empty(2**55)
    ... except torch.OutOfMemoryError:
    ...     print("as on a GPU")
    as on a GPU
    """
    try:
        yield
    except MemoryError as error:  # of numpy
        raise torch.OutOfMemoryError(str(error)) from None
    except RuntimeError as error:
        if "DefaultCPUAllocator" not in str(error):
            raise
        raise torch.OutOfMemoryError(str(error)) from None
