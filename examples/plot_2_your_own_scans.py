"""
A folder of your own scans
==========================

How do NIfTI files become maps, and where do the maps lie? This page writes a small BIDS folder, to have
one, and then does what you would do with yours.
"""

# %%
# The folder
# ----------
# Contrasts are co-registered and skull-stripped, or come with a brain mask. A lesion mask is optional:
# slices with a lesion are left out of the training, and ``skad evaluate`` compares maps with it. Scans
# straight from the scanner: :doc:`/clinical`.

import tempfile
from pathlib import Path

from skad.datasets import make_phantom
from skad.io import write_map

folder = Path(tempfile.mkdtemp()) / "my_cohort"
volumes = make_phantom(4, shape=(64, 80, 12), lesion=None, random_state=0)
volumes += make_phantom(1, shape=(64, 80, 12), lesion="glioma", random_state=1)
for number, volume in enumerate(volumes, start=1):
    stem = folder / f"sub-{number:02d}" / "anat" / f"sub-{number:02d}"
    for contrast, image in volume.contrasts.items():
        write_map(image, volume, f"{stem}_{contrast}.nii.gz")
    write_map(volume.mask, volume, f"{stem}_label-brain_mask.nii.gz")
for path in sorted(folder.rglob("sub-05*.nii.gz")):
    print(path.relative_to(folder))

# %%
# Reading it
# ----------
# Volumes are lazy: a file is read when its voxels are needed. BraTS and ISLES folders are recognized as well
# (:func:`~skad.datasets.load`), and :func:`~skad.datasets.load_folder` reads any other naming.

from skad.datasets import load_bids

cohort = load_bids(folder, contrasts=("T1w", "FLAIR", "ce-gadolinium_T1w"))
cohort

# %%
# Fit, save, score
# ----------------
# The detector is the simplest density there is, so that this page takes seconds; any other goes in its
# place. The file holds numbers and names, and loading it runs no code from it.

import skad
from skad.preprocessing import VolumePreprocessor
from skad.scoring import MixtureScorer

detector = skad.VolumeAnomalyDetector(
    MixtureScorer(random_state=0), preprocessor=VolumePreprocessor(size=(80, 64))
).fit(cohort[:4])
skad.save(detector, folder / "mixture.skad")

# %%
# The same from the command line::
#
#     $ skad fit my_cohort --method adm --out adm.skad
#     $ skad score adm.skad my_cohort --out maps/
#
# The map lies on the grid of the scan, voxel by voxel.

import nibabel
import numpy as np

detector = skad.load(folder / "mixture.skad")
scan_file = folder / "sub-05" / "anat" / "sub-05_FLAIR.nii.gz"
map_file = folder / "sub-05_desc-anomaly_map.nii.gz"
detector.score_volume(cohort[4]).to_filename(map_file)
scan, anomaly = nibabel.load(scan_file), nibabel.load(map_file)
print(scan.shape == anomaly.shape, np.array_equal(scan.affine, anomaly.affine))

# %%
# So any viewer can lay one over the other. nilearn's shows that the map is where the scan is, in millimeters.

import matplotlib.pyplot as plt
from nilearn import plotting

scores = anomaly.get_fdata()
plotting.plot_stat_map(
    nibabel.Nifti1Image(np.nan_to_num(scores), anomaly.affine),
    bg_img=scan,
    threshold=float(np.nanpercentile(scores, 97)),
    display_mode="z",
    cut_coords=5,
    cmap="inferno",
    vmin=0,
    title="the highest 3 % of the map, on FLAIR",
)
plt.show()
