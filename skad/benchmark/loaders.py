"""Where the scans of a study's cohorts come from."""

from collections.abc import Callable, Sequence

import numpy as np

from skad.benchmark.shifts import shift_volume
from skad.datasets import load, load_bids, load_brats, load_folder, load_isles, make_phantom
from skad.io import Volume

LOADERS: dict[str, Callable[..., Sequence[Volume]]] = {
    "phantom": make_phantom,
    "bids": load_bids,
    "brats": load_brats,
    "isles": load_isles,
    "folder": load_folder,
    "any": load,
}


def load_volumes(cohort, data):
    """The volumes of a cohort.

    Parameters
    ----------
    cohort : Cohort
    data : pathlib.Path
        What its folder is relative to.

    Returns
    -------
    list of Volume

    Raises
    ------
    ValueError
        No subject has the values of ``where``.
    """
    # TOML has no null
    arguments = {k: None if value == "None" else value for k, value in cohort.arguments.items()}
    if "folder" in arguments:
        arguments["folder"] = data / arguments["folder"]
    volumes = [
        volume
        for volume in LOADERS[cohort.loader](**arguments)
        if all(str(volume.info.get(column)) in np.atleast_1d(value) for column, value in cohort.where.items())
    ]
    if not volumes:
        raise ValueError(f"No subject has {cohort.where}: check the columns of participants.tsv.")
    return [shift_volume(volume, cohort.shift) for volume in volumes] if cohort.shift else volumes
