"""A network over many slices, batch by batch, in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from skad.nn.background import split_background
from skad.training.device import autocast, out_of_memory_alike, resolve_device, resolve_precision
from skad.utils.typing import Array, FloatArray


def map_slices(estimator: Any, function: Callable[..., Any], X: Array, **kwargs: Any) -> FloatArray:
    """Apply a torch function to batches of slices and concatenate the results.

    Parameters
    ----------
    estimator : object
        Gives the default of the arguments below: ``module_``, ``background_``, and the shared parameters
        batch_size, device and precision.
    function : callable
        ``function(images, foreground)`` with images (b, ..., height, width) float32, filled with the
        background, and foreground (b, 1, height, width) bool, on the device; returns a tensor whose first
        axis is the batch.
    X : ndarray of shape (n_samples, n_contrasts, height, width) or (n_samples, 2, n_contrasts, height, width)
        NaN background; a memory map is read batch by batch.
    **kwargs
        Passed to :func:`visit_slices`.

    Returns
    -------
    ndarray of float32, shape (n_samples, ...)
        The results.

    See Also
    --------
    skad.training.visit_slices : Yields the results batch by batch.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import DenoisingReconstructor
    >>> from skad.training import map_slices
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 12, 16))
    >>> denoise = DenoisingReconstructor(width=2, depth=1, max_epochs=1, batch_size=3, random_state=0).fit(X)
    >>> map_slices(denoise, lambda images, foreground: images.mean((1, 2, 3)), X).shape
    (4,)
    """
    result: Any = None
    for start, part in visit_slices(estimator, function, X, **kwargs):
        if result is None:
            result = np.empty((len(X), *part.shape[1:]), dtype=np.float32)
        result[start : start + len(part)] = part.float().cpu().numpy()
    return result


def visit_slices(
    estimator: Any,
    function: Callable[..., Any],
    X: Array,
    *,
    modules: Sequence[torch.nn.Module] | None = None,
    background: Array | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    precision: str | None = None,
) -> Iterator[tuple[int, Any]]:
    """Apply a torch function to one batch of slices at a time, without gradients.

    A batch that does not fit into the memory of the device is halved and retried; if a single slice does not
    fit, a MemoryError is raised.

    Parameters
    ----------
    estimator : object
        Gives the default of the arguments below: ``module_``, ``background_``, and the shared parameters
        batch_size, device and precision.
    function : callable
        ``function(images, foreground)`` with images (b, ..., height, width) float32, filled with the
        background, and foreground (b, 1, height, width) bool, on the device.
    X : ndarray of shape (n_samples, n_contrasts, height, width) or (n_samples, 2, n_contrasts, height, width)
        NaN background; a memory map is read batch by batch.
    modules : list of torch.nn.Module, default=None
        The networks ``function`` uses: moved to the device in evaluation mode, back to the CPU at the end.
    background : ndarray of shape (n_contrasts,), default=None
        Values that replace NaN.
    batch_size : int, default=None
        Slices per batch.
    device : str, default=None
        "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".
    precision : {"auto", "fp32", "bf16"}, default=None
        "auto" is bf16 autocast on a GPU that has it and fp32 on a CPU.

    Yields
    ------
    start : int
        Index of the first slice of the batch.
    result : object
        The return value of `function`.

    See Also
    --------
    skad.training.map_slices : Concatenates the results.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import DenoisingReconstructor
    >>> from skad.training import visit_slices
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 12, 16))
    >>> denoise = DenoisingReconstructor(width=2, depth=1, max_epochs=1, batch_size=3, random_state=0).fit(X)
    >>> for start, result in visit_slices(denoise, lambda images, foreground: len(images), X):
    ...     print(start, result)
    0 3
    3 1
    """
    modules = [estimator.module_] if modules is None else modules
    background = estimator.background_ if background is None else background
    batch_size = batch_size or estimator.batch_size
    device = resolve_device(device or estimator.device)
    dtype = resolve_precision(precision or estimator.precision, device)
    background = torch.as_tensor(background, dtype=torch.float32, device=device)
    for module in modules:
        module.to(device).eval()
    start = 0
    try:
        while start < len(X):
            batch = X[start : start + batch_size]
            try:
                with out_of_memory_alike():
                    result = _apply(function, batch, background, device, dtype)
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise MemoryError(
                        f"Out of memory on {device} even for one slice of shape {batch.shape[1:]}."
                    ) from None
                batch_size = len(batch) // 2
                continue
            yield start, result
            start += len(batch)
    finally:
        for module in modules:
            module.cpu()


@torch.no_grad()
def _apply(function, batch, background, device, dtype):
    batch = torch.from_numpy(np.array(batch, dtype=np.float32)).to(device)
    images, foreground = split_background(batch, background)
    with autocast(device, dtype):
        return function(images, foreground)
