"""Pictures of a study's own runs: references, the entropy of their anatomy, score maps (K, Figs. 4-7)."""

import numpy as np
from scipy.special import entr

from skad.benchmark.fidelity import SEGMENTER
from skad.benchmark.judging import PICTURES
from skad.benchmark.layout import Step, is_done
from skad.benchmark.slices import CohortSlices
from skad.nn.residuals import residual
from skad.persistence import load
from skad.plotting import plot_slices, save_figure
from skad.utils.validation import foreground_of


def write_pictures(layout, cohort):
    """Draw the slices of the test fold that a study keeps, first contrast, first seed; returns the paths.

    ``references_COHORT.png``: image, its references and, where the study measures fidelity, the entropy of
    the segmentation of each (K, Fig. 4); ``maps_COHORT.png``: maps of the methods that are drawn, with the
    outline of the lesions (K, Figs. 5 and 7). What is not finished is left out.

    Parameters
    ----------
    layout : Layout
    cohort : str
    """
    study, slices = layout.study, CohortSlices(layout.cohort_folder(cohort))
    maps, rows = _maps(layout, cohort)
    if not maps:
        return []
    images, y = np.array(slices.X("test")[rows]), np.array(slices.y("test")[rows])
    folder = layout.out / "figures"
    options = {"labels": y, "n_slices": len(rows)}
    figure = plot_slices(images[:, :1], maps, contrasts=["image"], **options)
    paths = [save_figure(figure, folder / f"maps_{cohort}.png")]
    references = _references(layout, cohort, rows)
    if references:
        shown = {"image": images} | references
        entropies = _entropies(layout, cohort, shown) if study.fidelity else {}
        columns = np.concatenate([each[:, :1] for each in shown.values()], axis=1)
        anomaly = entropies or {f"|image - {n}|": residual(images, r)[:, 0] for n, r in references.items()}
        figure = plot_slices(columns, anomaly, contrasts=list(shown), **options)
        paths.append(save_figure(figure, folder / f"references_{cohort}.png"))
    return paths


def _maps(layout, cohort):
    """Maps of the methods that are drawn by their names, and the slices they are of."""
    maps, rows = {}, None
    for name in layout.study.drawn or layout.study.methods:
        path = layout.folder(Step(cohort, name, layout.study.methods[name].seeds[0], True)) / PICTURES
        if path.exists():
            with np.load(path) as kept:
                maps[name], rows = kept["anomaly"], kept["rows"]
    return maps, rows


def _references(layout, cohort, rows):
    references = {}
    for name, component in layout.study.references.items():
        folder = layout.folder(Step(cohort, name, component.seeds[0]))
        if is_done(folder) and (folder / "test.npy").exists():
            references[name] = np.array(np.load(folder / "test.npy", mmap_mode="r")[rows, 1])
    return references


def _entropies(layout, cohort, images):
    """Entropy of the segmentation of every pixel, nats."""
    segmenter = load(layout.segmenter_folder(cohort) / SEGMENTER)
    foreground = foreground_of(images["image"])
    found = {}
    for name, each in images.items():
        inside = np.where(foreground[:, None], each, np.float32(np.nan))
        entropy = entr(segmenter.predict_proba(inside)).sum(axis=1)
        found[f"entropy, {name}"] = np.where(foreground, entropy, np.nan)
    return found
