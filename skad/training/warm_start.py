"""Going on from what an earlier fit has learned."""

from typing import Any

import torch


def start_module(estimator: Any, module: torch.nn.Module) -> torch.nn.Module:
    """The network to train: as built, or with ``warm_start=True`` with the weights of the last fit.

    Parameters
    ----------
    estimator : object
        With ``warm_start`` and, once fitted, ``module_``.
    module : torch.nn.Module
        Built from the parameters as they are now.

    Returns
    -------
    torch.nn.Module
        ``module``; what was fitted before is only read.

    Raises
    ------
    ValueError
        The weights do not fit: a parameter that decides the architecture has changed.
    """
    if not (estimator.warm_start and hasattr(estimator, "module_")):
        return module
    learned, built = estimator.module_.state_dict(), module.state_dict()
    for name in learned.keys() | built.keys():
        before, now = (tuple(each[name].shape) if name in each else "nothing" for each in (learned, built))
        if before != now:
            raise ValueError(
                "warm_start=True goes on with the network of the last fit, but the parameters, or pairs "
                f"instead of images, now ask for another one ({name}: {before} before, {now} now); "
                "set warm_start=False."
            )
    module.load_state_dict(learned)
    return module
