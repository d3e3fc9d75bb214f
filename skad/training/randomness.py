"""Seeds: same seed, same result, and the caller's generators are left as they were."""

import contextlib
import threading
from collections.abc import Iterator

import numpy as np
import torch
from sklearn.utils import check_random_state

from skad.training.parallel import agreed
from skad.utils.typing import RandomState

_TURN = threading.RLock()  # torch draws from one generator, whichever thread asks


@contextlib.contextmanager
def seeded(random_state: RandomState) -> Iterator[np.random.Generator]:
    """Context with seeded torch generators; the global generators are restored after it.

    Parameters
    ----------
    random_state : int, RandomState or None
        Seed. None draws a fresh one from the operating system (never from numpy's global generator);
        processes that train together share it.

    Yields
    ------
    numpy.random.Generator
        Generator for numpy, seeded likewise.

    See Also
    --------
    skad.training.Training : A training inside this context is reproducible.

    Notes
    -----
    torch has one global generator, so blocks in several threads would draw from the same stream. Therefore
    they wait for each other: results are reproducible in threads as well, but parallel fits need processes.

    Examples
    --------
    >>> import torch
    >>> from skad.training import seeded
    >>> with seeded(0):
    ...     first = torch.rand(2)
    >>> with seeded(0):
    ...     print(bool((torch.rand(2) == first).all()))
    True
    """
    seed = _seed_of(random_state)
    with _TURN, torch.random.fork_rng(devices=range(torch.cuda.device_count())), _deterministic_cudnn():
        torch.manual_seed(seed)
        yield np.random.default_rng(seed)


def _seed_of(random_state):
    if random_state is None:
        return agreed(int(np.random.SeedSequence().generate_state(1)[0]))
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextlib.contextmanager
def _deterministic_cudnn():
    """Some of cuDNN's kernels add in an order left to chance."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before
