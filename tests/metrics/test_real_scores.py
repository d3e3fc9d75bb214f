import csv

import nibabel
import numpy as np
import pytest

from skad.metrics import (
    ScoreHistogram,
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_roc_auc_score,
    per_group,
)


@pytest.fixture
def flair(real_data):
    """Labels, z-scored FLAIR with NaN outside the brain, and patient of every validation slice."""
    with open(real_data / "glioma" / "participants.tsv", newline="") as table:
        rows = [r for r in csv.DictReader(table, delimiter="\t") if r["fold"] == "validation"]
    stacks = []
    for row in rows:
        anat = real_data / "glioma" / row["participant_id"] / "anat"
        image, brain, lesion = (
            np.moveaxis(nibabel.load(next(anat.glob(f"*_{kind}.nii.gz"))).get_fdata(), -1, 0)
            for kind in ("FLAIR", "label-brain_mask", "label-lesion_mask")
        )
        image = np.where(brain > 0, image, np.nan)
        image = (image - np.nanmean(image)) / np.nanstd(image)
        stacks.append((lesion.astype(int), image, np.repeat(row["participant_id"], len(image))))
    return [np.concatenate(part) for part in zip(*stacks, strict=True)]


def test_flair_intensity_scores_the_published_floor_of_the_data(flair):
    # The floor was measured with scikit-learn when the data were prepared.
    y_true, anomaly, patients = flair
    assert foreground_roc_auc_score(y_true, anomaly) == pytest.approx(0.893, abs=5e-4)
    assert foreground_average_precision_score(y_true, anomaly) == pytest.approx(0.440, abs=5e-4)
    assert foreground_best_dice_score(y_true, anomaly) == pytest.approx(0.592, abs=5e-4)
    scores = per_group(foreground_roc_auc_score, y_true, anomaly, patients)
    assert (round(scores["mean"], 3), round(scores["sd"], 3)) == (0.889, 0.107)


def test_histogram_of_real_scores_is_within_1e_4_of_exact(flair):
    y_true, anomaly, patients = flair
    histogram = sum(
        ScoreHistogram().update(y_true[patients == p], anomaly[patients == p]) for p in np.unique(patients)
    )
    assert histogram.roc_auc() == pytest.approx(foreground_roc_auc_score(y_true, anomaly), abs=1e-4)
