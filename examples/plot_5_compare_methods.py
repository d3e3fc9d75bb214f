"""
Comparing methods
=================

Is the detector that learned something better than the one that learned nothing? The same slices, the same
patients, the same metric, and a plain intensity beside them.
"""

# %%
# The data: a detector learns from normal brains, and other patients judge.

from skad.datasets import make_phantom
from skad.preprocessing import VolumePreprocessor

prepare = VolumePreprocessor(size=(80, 64))
normal = prepare.fit_transform(make_phantom(6, shape=(64, 80, 12), lesion=None, random_state=0))
patients = prepare.transform(make_phantom(4, shape=(64, 80, 12), lesion="glioma", random_state=1))

# %%
# Several scorers share one reference, which is trained once: frozen, it is not trained again in the
# pipelines.

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skad.reconstruction import ContrastTranslator
from skad.scoring import IntensityScorer, JointDRGMM, MixtureScorer, ResidualScorer

translator = ContrastTranslator(width=8, n_blocks=2, max_epochs=12, random_state=0).fit(normal.X)
reference = FrozenEstimator(translator)
small = {"max_epochs": 5, "random_state": 0}
methods = {
    "FLAIR intensity": IntensityScorer(contrast=1, smoothing=0.8),
    "mixture of intensities": MixtureScorer(max_pixels=20_000, random_state=0),
    "ADM": make_pipeline(reference, JointDRGMM(**small)),
    "ADM, signed and smoothed": make_pipeline(
        reference, JointDRGMM(residual="signed", smoothing=1.0, **small)
    ),
    "FLAIR brighter than translated": make_pipeline(
        reference, ResidualScorer(sign=1, contrasts=[1], smoothing=0.8)
    ),
}

# %%
# The ROC curve is the usual picture; average precision and Dice say more where lesions are few.

from skad.metrics import (
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_roc_auc_score,
    foreground_roc_curve,
)
from skad.plotting import plot_roc

curves = {}
print(f"{'':32}  AUC     AP      Dice")
for name, method in methods.items():
    anomaly = -method.fit(normal.X).score_samples(patients.X)
    auc = foreground_roc_auc_score(patients.y, anomaly)
    precision = foreground_average_precision_score(patients.y, anomaly)
    dice = foreground_best_dice_score(patients.y, anomaly)
    fpr, tpr, _ = foreground_roc_curve(patients.y, anomaly, n_thresholds=200)
    curves[name] = (fpr, tpr, auc)
    print(f"{name:32}  {auc:.3f}   {precision:.3f}   {dice:.3f}")
figure = plot_roc(curves)
figure

# %%
# Phantom lesions are clear, and FLAIR intensity alone does well on them; what such a table looks like on
# real patients is in :doc:`/results/adm`. One seed is no result either: ``skad benchmark`` repeats a
# study over seeds, chooses thresholds on other patients than it reports, and writes tables with intervals
# and costs (:doc:`/benchmark`).
