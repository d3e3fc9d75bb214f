"""The cohorts of the second system's benchmark: phantoms with skull, gliomas on post-contrast T1."""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from skad.datasets import LESION_CLASSES, label_anatomy, load_bids, make_phantom
from skad.io import Volume
from skad.preprocessing import VolumePreprocessor

CONTRAST = "ce-gadolinium_T1w"
LESIONS = ("metastasis", "cavity", "extracranial", "structural")
SIZE = (80, 64)  # pixels of 3 mm: 24 x 19 cm


@dataclass
class Cohort:
    """Slices: ``train`` without lesions and its ``anatomy``; ``test`` of other subjects, lesions ``y``."""

    train: np.ndarray
    anatomy: np.ndarray
    test: np.ndarray
    y: np.ndarray
    groups: np.ndarray


def phantom_cohort(data):
    """24 normal heads to learn from; 12 heads with all four lesions of the paper."""
    grid = {"shape": (64, 80, 20), "voxel_size": (3.0, 3.0, 10.0), "contrasts": (CONTRAST,), "skull": True}
    normal = make_phantom(24, lesion=None, random_state=0, **grid)
    patients = make_phantom(12, lesion=LESIONS, random_state=1, **grid)
    prepare = VolumePreprocessor(size=SIZE, fit_mode="crop", intensity="whitematter").fit(normal)
    train = prepare.transform(label_anatomy(normal))
    test = prepare.transform(patients)
    return Cohort(train.X, train.y, test.X, test.y, test.groups)


def glioma_cohort(data):
    """Training fold without lesion slices; validation fold. Anatomy: brain mask, tissue by intensity."""
    volumes = load_bids(data / "glioma256", contrasts=(CONTRAST,))
    folds = {fold: [v for v in volumes if v.info["fold"] == fold] for fold in ("train", "validation")}
    prepare = VolumePreprocessor(
        voxel_size=(3.0, 3.0, 5.0), size=SIZE, intensity="whitematter", mask="otsu"
    ).fit(folds["train"])
    train, test = (prepare.transform(folds[fold]) for fold in ("train", "validation"))
    normal = ~train.y.any(axis=(1, 2))
    brains = {v.subject: v for v in load_bids(data / "glioma", contrasts=(CONTRAST,))}
    masked = prepare.transform([_brain_as_labels(v, brains[v.subject]) for v in folds["train"]])
    anatomy = tissues(train.X[normal], masked.y[normal] > 0)
    return Cohort(train.X[normal], anatomy, test.X, test.y, test.groups)


def _brain_as_labels(head, patient):
    """The head's scan with the brain mask, drawn on pixels twice as large, as its labels."""
    brain = patient.mask.repeat(2, axis=0).repeat(2, axis=1)
    contrasts = {CONTRAST: head.contrasts[CONTRAST]}
    return Volume(contrasts, head.affine, subject=head.subject, labels=brain.astype(np.uint8))


def tissues(X, brain):
    """Labels of pixels: 0 outside the brain, 1 to 3 inside it from dark to bright, by k-means."""
    brain = brain & ~np.isnan(X[:, 0])
    values = X[:, 0][brain].reshape(-1, 1)
    clusters = KMeans(3, n_init=3, random_state=0).fit(values[:: max(1, len(values) // 100_000)])
    rank = np.argsort(np.argsort(clusters.cluster_centers_[:, 0]))
    labels = np.zeros(brain.shape, dtype=np.int64)
    labels[brain] = 1 + rank[clusters.predict(values)]
    return labels


CLASSES = {
    "phantom": {lesion: LESION_CLASSES[lesion] for lesion in LESIONS},
    "glioma256": {"FLAIR abnormality": 1},
}
COHORTS = {"phantom": phantom_cohort, "glioma256": glioma_cohort}


def write_cohort(work, name, data):
    """Prepare a cohort once; later steps read it."""
    np.savez(work / f"{name}.npz", **vars(COHORTS[name](data)))


def read_cohort(work, name):
    """What :func:`write_cohort` wrote."""
    with np.load(work / f"{name}.npz") as arrays:
        return Cohort(**arrays)
