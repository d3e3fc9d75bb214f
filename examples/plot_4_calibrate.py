"""
A threshold that keeps its promise
==================================

Above which score is a pixel abnormal, if at most one in twenty normal pixels may be called so? Normal
patients that the detector has not learned from answer, without a label.
"""

# %%
# A detector, and three cohorts of normal brains: to learn from, to calibrate on, and to check the promise
# with. A rate of ``fpr`` needs at least ``1 / fpr - 1`` patients to calibrate on.

from skad.datasets import make_phantom
from skad.preprocessing import VolumePreprocessor
from skad.scoring import MixtureScorer

prepare = VolumePreprocessor(size=(48, 40))
cohort = make_phantom(110, shape=(36, 44, 8), lesion=None, random_state=0)
train, calibration, new = (prepare.fit_transform(part) for part in (cohort[:10], cohort[10:70], cohort[70:]))
detector = MixtureScorer(n_components=4, random_state=0).fit(train.X)

# %%
# :class:`~skad.calibration.ConformalCalibrator` counts patients, not pixels, because patients are what is
# exchangeable. The rate may be changed afterwards.

from skad.calibration import ConformalCalibrator

calibrator = ConformalCalibrator(detector, fpr=0.05).fit(calibration.X, groups=calibration.groups)

# %%
# Is the promise kept on new normal brains? For every rate that may be asked for, the share of a patient's
# pixels that is called abnormal: its mean over the patients, and a band of 1.96 standard errors.

import numpy as np

from skad.plotting import plot_calibration

p_values = calibrator.p_value_map(new.X)
patients = [p_values[new.groups == patient] for patient in np.unique(new.groups)]
figure = plot_calibration({"new": patients})
figure

called = [(each[~np.isnan(each)] <= 0.05).mean() for each in patients]
print(
    f"fpr=0.05: on average {np.mean(called):.3f}, from {min(called):.3f} to {max(called):.3f} in one patient"
)

# %%
# The promise is about the mean; single patients scatter around it. With few patients the mean stays below
# it, here by up to ``2 / (60 + 1)``. It holds for patients like those of the calibration only, so look
# for drift before you rely on it on another scanner.

import warnings

from skad.calibration import DriftWarning

other = prepare.transform(make_phantom(5, shape=(36, 44, 8), lesion=None, random_state=7))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", DriftWarning)
    same = calibrator.check_drift(other.X, groups=other.groups)
    moved = calibrator.check_drift(1.5 * other.X, groups=other.groups)
print(f"p = {same:.3f} as they are, p = {moved:.3f} with intensities x 1.5")
print(*(warning.message for warning in caught), sep="\n")
