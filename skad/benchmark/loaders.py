"""Where the scans of a study's cohorts come from."""

from skad.datasets import load, load_bids, load_brats, load_folder, load_isles, make_phantom

LOADERS = {
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
    """
    arguments = dict(cohort.arguments)
    if "folder" in arguments:
        arguments["folder"] = data / arguments["folder"]
    return LOADERS[cohort.loader](**arguments)
