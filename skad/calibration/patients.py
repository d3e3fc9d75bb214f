"""The scores of each patient, whatever a detector takes."""

from itertools import groupby

import numpy as np


def takes_volumes(detector):
    """Whether a detector scores volumes, as VolumeAnomalyDetector does, and not arrays of slices."""
    return hasattr(detector, "score_volumes")


def check_normal(volumes):
    """Raise where volumes have a labeled lesion: thresholds come from normal patients."""
    sick = [volume.subject for volume in volumes if volume.has_labels and volume.labels.any()]
    if sick:
        raise ValueError(
            f"{_subjects(sick)} a labeled lesion, but calibration needs normal subjects: leave "
            f"{'it' if len(sick) == 1 else 'them'} out."
        )


def check_unseen(detector, volumes):
    """Raise where a detector has learned from volumes: its scores of them are too good to promise anything.

    Parameters
    ----------
    detector : VolumeAnomalyDetector
    volumes : list of Volume
    """
    known = getattr(detector, "training_scans_", None)  # files of earlier versions have none
    seen = [] if known is None else [volume.subject for volume in volumes if known.holds(volume)]
    if not seen:
        return
    left = len({volume.subject for volume in volumes} - set(seen))
    promise = f"promise an fpr of {1 / (left + 1):.3g} or more" if left else "are too few for any fpr"
    raise ValueError(
        f"{_subjects(seen)} been used to train this detector, whose scores of training subjects are lower "
        f"than those of others: leave {'it' if len(set(seen)) == 1 else 'them'} out; the {left} subjects "
        f"left {promise}."
    )


def _subjects(names):
    names = sorted(set(names))
    if len(names) == 1:
        return f"Subject {names[0]!r} has"
    return f"Subjects {', '.join(map(repr, names))} have"


def volume_maps(detector, volumes, n_jobs=None):
    """The anomaly map of every volume on its own grid, NaN outside the foreground, one after the other."""
    for volume, image in detector.score_volumes(volumes, n_jobs=n_jobs):
        yield volume, np.asarray(image.dataobj, dtype=np.float32)


def scores_of_volumes(detector, volumes, n_jobs=None):
    """Yield patient and foreground scores (n,), all volumes of a patient together."""
    maps = volume_maps(detector, sorted(volumes, key=lambda volume: volume.subject), n_jobs)
    for subject, of_subject in groupby(maps, key=lambda pair: pair[0].subject):
        yield subject, _foreground([anomaly for _, anomaly in of_subject], subject)


def scores_of_slices(detector, X, groups):
    """Yield patient and foreground scores (n,), all slices of a patient together."""
    anomaly = -detector.score_samples(X)
    for patient in np.unique(groups):
        yield patient, _foreground([anomaly[groups == patient]], patient)


def _foreground(maps, patient):
    scores = np.concatenate([anomaly[~np.isnan(anomaly)] for anomaly in maps])
    if not scores.size:
        raise ValueError(f"Patient {patient} has no foreground: leave the patient out.")
    return scores
