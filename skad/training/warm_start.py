"""Going on from what an earlier fit has learned."""

from typing import Any

import torch


def start_module(estimator: Any, module: torch.nn.Module) -> torch.nn.Module:
    """The network at the start of a fit: new, or with the weights of the last fit if ``warm_start=True``.

    Parameters
    ----------
    estimator : object
        Estimator with ``warm_start`` and, once fitted, ``module_``.
    module : torch.nn.Module
        Network built from the current parameters.

    Returns
    -------
    torch.nn.Module
        `module`, with the weights of the last fit if ``warm_start=True``.

    Raises
    ------
    ValueError
        The weights do not fit: a parameter that decides the architecture has changed.

    See Also
    --------
    skad.training.Training : Fits the network.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import DenoisingReconstructor
    >>> from skad.training import start_module
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 12, 16))
    >>> denoise = DenoisingReconstructor(width=2, depth=1, max_epochs=1, batch_size=3, random_state=0).fit(X)
    >>> import torch
    >>> start_module(denoise, torch.nn.Linear(2, 1))  # warm_start=False: as built
    Linear(in_features=2, out_features=1, bias=True)
    """
    if not (estimator.warm_start and hasattr(estimator, "module_")):
        return module
    learned, built = estimator.module_.state_dict(), module.state_dict()
    for name in learned.keys() | built.keys():
        before, now = (tuple(each[name].shape) if name in each else "nothing" for each in (learned, built))
        if before != now:
            raise ValueError(
                "warm_start=True continues with the network of the last fit, but the parameters, or pairs or "
                f"neighbors instead of images, now ask for another one ({name}: {before} before, {now} now); "
                "set warm_start=False."
            )
    module.load_state_dict(learned)
    return module
