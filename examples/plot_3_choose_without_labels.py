"""
Choosing a detector without labels
==================================

Which of these detectors should I take, if nobody has drawn a lesion? Lesions planted into held-out normal
slices can stand in for real ones, within limits.
"""

# %%
# Normal slices to choose on, and patients whose labels are looked at only at the very end.

from skad.datasets import make_phantom
from skad.preprocessing import VolumePreprocessor

prepare = VolumePreprocessor(size=(80, 64))
normal = prepare.fit_transform(make_phantom(6, shape=(64, 80, 12), lesion=None, random_state=0))
patients = prepare.transform(make_phantom(3, shape=(64, 80, 12), lesion="glioma", random_state=1))

# %%
# A search as in scikit-learn. ``scoring`` plants lesions that are bright on FLAIR, as most lesions of the
# brain are, and takes the average precision; ``cv`` keeps patients whole.

from sklearn.covariance import EllipticEnvelope
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skad.model_selection import PatientKFold, PseudoAnomalyScorer
from skad.scoring import IntensityScorer, MixtureScorer, SklearnScorer

candidates = {
    "FLAIR, bright": IntensityScorer(contrast=1, smoothing=0.8),
    "FLAIR, dark": IntensityScorer(contrast=1, sign=-1, smoothing=0.8),
    "1 Gaussian": MixtureScorer(n_components=1, max_pixels=20_000, random_state=0),
    "3 Gaussians": MixtureScorer(n_components=3, max_pixels=20_000, random_state=0),
    "8 Gaussians": MixtureScorer(n_components=8, max_pixels=20_000, random_state=0),
    "patches of 3 x 3": SklearnScorer(
        EllipticEnvelope(support_fraction=1.0),
        features="patch",
        patch_size=3,
        max_pixels=5_000,
        random_state=0,
    ),
}
search = GridSearchCV(
    Pipeline([("score", MixtureScorer())]),
    {"score": list(candidates.values())},
    scoring=PseudoAnomalyScorer.for_contrasts(normal.contrasts, n_slices=24),
    cv=PatientKFold(n_splits=3, stratify=False),
).fit(normal.X, groups=normal.groups)

# %%
# What the choice is worth, which only labels can tell: the same detectors on the patients.

import matplotlib.pyplot as plt
from sklearn.base import clone

from skad.metrics import foreground_average_precision_score

planted = search.cv_results_["mean_test_score"]
real = [
    foreground_average_precision_score(patients.y, -clone(each).fit(normal.X).score_samples(patients.X))
    for each in candidates.values()
]
figure, axis = plt.subplots(figsize=(6, 4.5), layout="constrained")
axis.scatter(planted, real, color="#0072B2")
for name, x, y in zip(candidates, planted, real, strict=True):
    label = f"{name} (chosen)" if x == planted.max() else name
    axis.annotate(label, (x, y), xytext=(0, 6), textcoords="offset points", ha="center")
axis.set(xlabel="average precision on planted lesions, no labels", ylabel="average precision on gliomas")
axis.margins(x=0.25, y=0.12)
plt.show()

# %%
# Read it with care. That lesions are bright on FLAIR is told to the search, not found by it: for a disease
# that is dark there, the order would be of no use. ``PseudoAnomalyScorer()`` plants lesions of any sign in
# any contrast, which cannot know the side to take and choose badly on real patients: :doc:`/results/choice`.
#
# On the command line this is ``skad tune``: :doc:`/tuning`.
