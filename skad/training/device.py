"""Where a network runs and in which precision."""

import contextlib
import os
from collections.abc import Iterator

import torch


def resolve_device(device: str = "auto") -> torch.device:
    """Torch device of a ``device`` parameter.

    Parameters
    ----------
    device : str, default="auto"
        "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        The device is unknown or not on this machine.

    See Also
    --------
    skad.training.resolve_precision : The type of mixed precision.

    Examples
    --------
    >>> from skad.training import resolve_device
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return _own_gpu() if torch.cuda.is_available() else torch.device("cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f'device should be "auto", "cpu", "cuda" or "cuda:N", got {device!r}.') from error
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {device!r} was requested, but this machine has {torch.cuda.device_count()} GPUs; "
            'use "auto".'
        )
    return resolved


def _own_gpu():
    """The current GPU; of processes that train together, each takes one."""
    if "LOCAL_RANK" not in os.environ:
        return torch.device("cuda")
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())


def resolve_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """Autocast type of a ``precision`` parameter.

    "auto" is bf16 on a GPU that has it (compute capability 8 and later) and fp32 elsewhere: on a CPU, bf16
    is faster only with bf16 instructions.

    Parameters
    ----------
    precision : {"auto", "fp32", "bf16"}
        The parameter.
    device : torch.device
        Device of the computation.

    Returns
    -------
    torch.dtype or None
        ``torch.bfloat16``, or None for float32.

    See Also
    --------
    skad.training.autocast : Uses the type.

    Examples
    --------
    >>> import torch
    >>> from skad.training import resolve_precision
    >>> resolve_precision("bf16", torch.device("cpu"))
    torch.bfloat16
    """
    if precision == "auto":
        capable = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        precision = "bf16" if capable else "fp32"
    return torch.bfloat16 if precision == "bf16" else None


def autocast(device: torch.device, dtype: torch.dtype | None) -> contextlib.AbstractContextManager:
    """Context of a forward pass in mixed precision; without effect if `dtype` is None.

    Parameters
    ----------
    device : torch.device
        Device of the forward pass.
    dtype : torch.dtype or None
        Type of mixed precision.

    Returns
    -------
    context manager
        :func:`torch.autocast`, or a null context.

    See Also
    --------
    skad.training.resolve_precision : Gives the type.

    Examples
    --------
    >>> import torch
    >>> from skad.training import autocast
    >>> with autocast(torch.device("cpu"), torch.bfloat16):
    ...     print((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
    torch.bfloat16
    """
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
