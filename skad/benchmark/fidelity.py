"""Anatomical fidelity in a study (K, II-D): a segmentation network judges the references."""

import numpy as np
from sklearn.cluster import KMeans

from skad.anatomy import anatomical_fidelity
from skad.benchmark.components import build
from skad.datasets import label_anatomy
from skad.persistence import load, save
from skad.utils.validation import foreground_of

SEGMENTER = "segmenter.skad"
_PIXELS = 100_000  # that tissues are told by


def anatomy_of(stack, prepare, *, labeled=None, simulated=False, n_tissues):
    """Anatomical classes of the training slices.

    Parameters
    ----------
    stack : SliceStack
        Of the training fold.
    prepare : VolumePreprocessor
        Fitted.
    labeled : list of Volume, default=None
        The same subjects with their anatomy as labels.
    simulated : bool, default=False
        Whether the volumes are of the phantom, which knows its own anatomy.
    n_tissues : int
        Classes of the others.

    Returns
    -------
    int ndarray of shape (n_slices, height, width)
        Of the phantom its own anatomy; without labels tissues by intensity (we): k-means of the foreground,
        numbered from dark to bright, 0 in the background.
    """
    volumes = stack.volumes
    if labeled is not None:
        by_subject = {v.subject: v for v in labeled}
        missing = [v.subject for v in volumes if v.subject not in by_subject]
        if missing:
            raise ValueError(f"The cohort of fidelity.anatomy should hold {missing[0]!r}, which it does not.")
        return np.asarray(prepare.transform([by_subject[v.subject] for v in volumes]).y)
    if simulated:
        return np.asarray(prepare.transform(label_anatomy(volumes)).y)
    return tissues(stack.X, n_tissues)


def tissues(X, n_tissues):
    """Classes of pixels by intensity, 1 (first contrast darkest) to n_tissues; 0 in the background."""
    foreground = foreground_of(np.asarray(X))
    values = np.moveaxis(np.asarray(X), 1, -1)[foreground]
    values = np.nan_to_num(values)
    sample = values[:: -(-len(values) // _PIXELS)]
    clusters = KMeans(n_tissues, n_init=3, random_state=0).fit(sample)
    rank = np.argsort(np.argsort(clusters.cluster_centers_[:, 0]))
    labels = np.zeros(foreground.shape, dtype=np.int64)
    labels[foreground] = 1 + rank[clusters.predict(values)]
    return labels


def write_segmenter(table, slices, folder):
    """Fit the segmentation network on the training slices and their anatomy, and save it.

    Parameters
    ----------
    table : dict
        Of an AnatomySegmenter.
    slices : CohortSlices
    folder : pathlib.Path
    """
    segmenter = build(table, seed=0).fit(np.asarray(slices.X("train")), np.asarray(slices.anatomy()))
    save(segmenter, folder / SEGMENTER)


def fidelity_rows(segmenter, pairs, fold):
    """Fidelity of the references of a fold, mean over its slices: "fold", "quality", "overlap".

    Parameters
    ----------
    segmenter : pathlib.Path
        Folder of :func:`write_segmenter`.
    pairs : array of shape (n_samples, 2, n_contrasts, height, width)
    fold : str

    Returns
    -------
    list of dict
    """
    scores = anatomical_fidelity(load(segmenter / SEGMENTER), pairs)
    quality, overlap = (float(np.nanmean(scores[f"{name}_score"])) for name in ("quality", "overlap"))
    return [{"fold": fold, "quality": quality, "overlap": overlap}]
