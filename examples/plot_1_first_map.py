"""
A first anomaly map
===================

Where in this brain is something that a detector of normal brains has not seen? The whole way in one page:
volumes, a detector, a map in the patient's own space.
"""

# %%
# Volumes
# -------
# :func:`~skad.datasets.make_phantom` simulates brains. With real scans this line is
# :func:`~skad.datasets.load_bids` or one of its neighbors; the rest stays as it is. The normal brains are to
# learn from, the patient has a glioma.

from skad.datasets import make_phantom

normal = make_phantom(6, shape=(64, 80, 14), lesion=None, random_state=0)
(patient,) = make_phantom(1, shape=(64, 80, 14), lesion="glioma", random_state=1)
patient

# %%
# A detector
# ----------
# A reconstructor makes the normal reference of an image, a scorer compares the two. Here every contrast
# is translated from the other two, and a Gaussian mixture says how usual the residuals of a pixel are.
# The preprocessor cuts volumes into slices and knows the way back.

from sklearn.pipeline import make_pipeline

from skad import VolumeAnomalyDetector
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator
from skad.scoring import JointDRGMM

detector = VolumeAnomalyDetector(
    make_pipeline(
        ContrastTranslator(width=8, n_blocks=2, max_epochs=12, random_state=0),
        JointDRGMM(features="residual", residual="signed", smoothing=1.0, max_epochs=5, random_state=0),
    ),
    preprocessor=VolumePreprocessor(size=(80, 64)),
).fit(normal)

# %%
# The map
# -------
# One NIfTI image with the shape, affine and orientation of the patient's; high is abnormal. The labels
# were never used: they only draw the outline.

from skad.plotting import plot_volume

anomaly = detector.score_volume(patient)
figure = plot_volume(patient, anomaly.get_fdata(), n_slices=3)
figure

# %%
# The core and its rim stand out, the mild edema only in part. The bright spots of the lowest row are the
# choroid plexus, which takes up contrast agent in everybody: a map is a place to look at, not a
# diagnosis.
#
# How well the map ranks the pixels of this patient: 1 would be every lesion pixel above every other one.
# It is a simulated patient and clearer than a real one; :doc:`/results/index` has real ones.

from skad.metrics import foreground_roc_auc_score

print(f"AUC {foreground_roc_auc_score(patient.labels, anomaly.get_fdata()):.3f}")
