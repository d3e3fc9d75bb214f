"""A cohort of two subjects, written as a report."""

from types import SimpleNamespace

import numpy as np
import pytest

from skad.report import SubjectReport, viewer_data, write_html

SHAPE = (30, 36, 24)  # all different, so that no transposition goes unnoticed
# Oblique, 5 mm: turned by 20 degrees about the first axis
TURN = np.array([[1, 0, 0], [0, np.cos(0.35), -np.sin(0.35)], [0, np.sin(0.35), np.cos(0.35)]])
AFFINE = np.block([[5 * TURN @ np.diag([-1, 1, 1]), np.array([[70.0], [-60], [-40]])], [np.zeros((1, 3)), 1]])
LESION = (20, 12, 15)  # voxel: far from the middle in every plane
PEAKS = {"sub-low": 4.0, "sub-high": 9.0}


def lesion_mm():
    """Where the lesion is, mm: the affine on paper."""
    return AFFINE[:3, :3] @ LESION + AFFINE[:3, 3]


def subject(peak):
    """Images, map and labels: noise in an ellipsoid, with a block of high scores."""
    rng = np.random.default_rng(0)
    grid = 2 * np.indices(SHAPE) / np.reshape(SHAPE, (3, 1, 1, 1)) - 1
    inside = (grid**2).sum(axis=0) < 0.8
    images = {name: rng.uniform(0.5, 1, SHAPE) * inside for name in ("T1w", "FLAIR")}
    anomaly = np.where(inside, rng.uniform(-1, 1, SHAPE), np.nan)
    labels = np.zeros(SHAPE, dtype=int)
    block = tuple(slice(i - 2, i + 3) for i in LESION)
    labels[block] = 1
    anomaly[block] = peak - 1
    anomaly[LESION] = peak
    return images, anomaly, labels


def make_report(path):
    """Write the report, in the order opposite to the peaks."""
    x, y, z = lesion_mm()
    subjects = []
    for name, peak in PEAKS.items():
        images, anomaly, labels = subject(peak)
        lesion = {"lesion": 1, "volume_ml": 15.6, "x_mm": x, "y_mm": y, "z_mm": z, "peak_score": peak}
        far = lesion | {"lesion": 2, "x_mm": x - 20}
        viewer = viewer_data(images, anomaly, AFFINE, threshold=2.0, labels=labels)
        warnings = ["missing contrast: <b>T2w</b>"] if name == "sub-low" else []
        subjects.append(SubjectReport(name, peak, 15.6, warnings, [lesion, far], viewer))
    tables = {"Per class": [{"class": "any", "ROC-AUC": 0.87654}]}
    details = {"Training": {"scans": "12"}, "score: <Mixture>": {"families": "[<b>Lesions</b>()]"}}
    return write_html(path, subjects, threshold="above 2", warnings=["drift"], tables=tables, details=details)


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """Path of the report; not to be changed."""
    return make_report(tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="session")
def made():
    """What the report was made of: ``labels`` of every subject, ``lesion_mm``, the center of the lesion."""
    return SimpleNamespace(labels=subject(1.0)[2], lesion_mm=lesion_mm())
