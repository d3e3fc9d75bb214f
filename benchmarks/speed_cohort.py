"""Simulated patients on disk for `speed.py` and `overnight.py`."""

from pathlib import Path

import numpy as np

from skad.datasets import make_phantom
from skad.io import write_map

N_MANY, N_FEW = 12, 2


def write(folder, shape=(121, 145, 40), n_many=N_MANY, n_few=N_FEW):
    """Folders "many" and "few" of patients in BIDS layout; the few are links to the first of the many."""
    folder = Path(folder)
    for volume in make_phantom(n_many, shape=shape, random_state=0):
        anat = folder / "many" / f"sub-{volume.subject}" / "anat"
        for name, image in volume.contrasts.items():
            rounded = np.round(1000 * image / np.percentile(image, 99.9)).clip(0, 4000)
            write_map(rounded.astype(np.float32), volume, anat / f"sub-{volume.subject}_{name}.nii.gz")
        for name, image in (("brain", volume.mask), ("lesion", volume.labels)):
            path = anat / f"sub-{volume.subject}_label-{name}_mask.nii.gz"
            write_map(image.astype(np.float32), volume, path)
    (folder / "few").mkdir()
    for subject in sorted((folder / "many").iterdir())[:n_few]:
        (folder / "few" / subject.name).symlink_to(subject)
