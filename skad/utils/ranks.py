"""Which of the processes that `torchrun` or `accelerate launch` started this one is."""

import os


def n_processes() -> int:
    """How many processes train together; 1 outside `torchrun` and `accelerate launch`."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "MASTER_ADDR" in os.environ else 1


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ["RANK"]) if n_processes() > 1 else 0


def is_main_process() -> bool:
    """Whether this process writes files and reports progress.

    Returns
    -------
    bool
        True in the first of the processes that train together, and outside ``torchrun``.

    See Also
    --------
    skad.training.own_share : Divides work between the processes.

    Examples
    --------
    >>> from skad.training import is_main_process
    >>> is_main_process()
    True
    """
    return rank() == 0
