"""``skad evaluate``: maps against the truth, per patient, per class and per lesion size."""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from skad.cli.cohort import load_cohort
from skad.cli.output import (
    ENDING,
    EVALUATION,
    LESION_SIZES,
    REPORT,
    ROC,
    complain,
    map_path,
    name_of,
    sidecar_path,
    tell,
    write_table,
)
from skad.cli.report import write_report
from skad.cli.sizes import SizeTable
from skad.io.nifti import open_nifti
from skad.metrics import (
    ScoreHistogram,
    UndefinedScoreError,
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_roc_auc_score,
)
from skad.plotting import plot_roc, save_figure
from skad.preprocessing.reorient import Reorientation

METRICS = {
    "roc_auc": foreground_roc_auc_score,
    "average_precision": foreground_average_precision_score,
    "best_dice": foreground_best_dice_score,
}


def evaluate(maps, folder, *, where=(), size_step=200, report=True):
    """Compare the maps of a folder with the labels of another; parameters as in ``skad evaluate --help``.

    Returns
    -------
    int
        0; 1 when some subjects could not be evaluated; 2 when none could.

    Raises
    ------
    ValueError
        One sentence that names the folder.
    """
    maps = Path(maps)
    volumes, errors = load_cohort(folder, contrasts=_contrasts(maps), where=where)
    labelled = [volume for volume in volumes if volume.has_labels]
    if volumes and not labelled:
        raise ValueError(
            f"{folder} has no labels to compare with: add label-lesion masks (BIDS) or segmentations."
        )
    rows, histogram, sizes = [], ScoreHistogram(), SizeTable(size_step)
    for volume in tqdm(labelled, unit="subject", disable=None):
        try:
            labels, anomaly = _slices(volume, map_path(maps, volume))
            rows += _rows(name_of(volume), labels, anomaly)
            histogram.update(labels, anomaly)
            sizes.update(labels, anomaly)
        except (ValueError, OSError) as error:
            errors[name_of(volume)] = error
    complain("evaluate", errors)
    if not rows:
        return 2
    _finish(maps, rows, histogram, sizes)
    if report:
        errors |= write_report(maps, volumes, maps / REPORT, scans=folder)
    return 1 if errors else 0


def _contrasts(maps):
    """The contrasts the maps were made from, told by any sidecar."""
    sidecar = next(maps.glob(f"sub-*/**/anat/*{ENDING}.json"), None)
    if sidecar is None:
        raise ValueError(
            f"{maps} holds no sub-*/anat/*_{ENDING}.nii.gz with its .json: give a folder of `skad score`."
        )
    return json.loads(sidecar.read_text()).get("Contrasts")


def _slices(volume, path):
    """Labels and map of a volume as axial slices on its own grid, each (n_slices, rows, columns)."""
    image = open_nifti(path)
    if image.shape != volume.shape or not np.allclose(image.affine, volume.affine, atol=1e-3):
        raise ValueError(
            f"{path} lies on another grid than the images of {volume.subject!r}: score them again."
        )
    anomaly = image.load().astype(np.float32)
    if json.loads(sidecar_path(path).read_text()).get("OutsideForeground") == 0:
        anomaly[anomaly == 0] = np.nan
    axial = Reorientation.to_axial(volume.affine)
    return axial.forward(volume.labels), axial.forward(anomaly)


def _rows(subject, labels, anomaly):
    """One row per class, and one for any class, of one subject."""
    foreground = ~np.isnan(anomaly)
    present = np.unique(labels[foreground & (labels > 0)]).tolist()
    return [
        {
            "subject": subject,
            "label": "any" if label is None else label,
            "n_abnormal": int(
                np.count_nonzero(foreground & ((labels > 0) if label is None else (labels == label)))
            ),
            "n_normal": int(np.count_nonzero(foreground & (labels == 0))),
            **{name: _or_nan(metric, labels, anomaly, label) for name, metric in METRICS.items()},
        }
        for label in (None, *present)
    ]


def _or_nan(metric, labels, anomaly, label):
    try:
        return metric(labels, anomaly, label=label)
    except UndefinedScoreError:
        return np.nan


def _summary(rows, histogram):
    """Mean and standard deviation over subjects and the pooled score, per class."""
    summary = []
    for label in dict.fromkeys(row["label"] for row in rows):
        of_class = [row for row in rows if row["label"] == label]
        pooled = _pooled(histogram, None if label == "any" else label)
        for name, reduce in (("mean", np.mean), ("sd", np.std)):
            summary.append(
                {"subject": name, "label": label} | {m: _over(of_class, m, reduce) for m in METRICS}
            )
        counts = {key: sum(row[key] for row in of_class) for key in ("n_abnormal", "n_normal")}
        summary.append({"subject": "pooled", "label": label, **counts, **pooled})
    return summary


def _over(rows, metric, reduce):
    values = np.array([row[metric] for row in rows])
    values = values[~np.isnan(values)]
    return float(reduce(values)) if values.size else np.nan


def _pooled(histogram, label):
    try:
        return {name: getattr(histogram, name)(label=label) for name in METRICS}
    except UndefinedScoreError:
        return dict.fromkeys(METRICS, np.nan)


def _finish(maps, rows, histogram, sizes):
    summary = _summary(rows, histogram)
    write_table([*rows, *summary], maps / EVALUATION)
    if sizes.rows():
        write_table(sizes.rows(), maps / LESION_SIZES)
    abnormal = [label for label in histogram.labels if label > 0]
    if abnormal and 0 in histogram.labels:
        curves = {"any": (*histogram.roc_curve()[:2], histogram.roc_auc())}
        if len(abnormal) > 1:
            for k in abnormal:
                curves[f"class {k}"] = (*histogram.roc_curve(label=k)[:2], histogram.roc_auc(label=k))
        save_figure(plot_roc(curves), maps / ROC)
    _print(summary, len({row["subject"] for row in rows}))
    tell(f"Tables: {maps / EVALUATION}, {maps / LESION_SIZES}.")


def _print(summary, n_subjects):
    tell(f"{n_subjects} subjects     label  {'  '.join(f'{name:>17}' for name in METRICS)}")
    for row in summary:
        print(
            f"{row['subject']:<11}{row['label']!s:>9}  {'  '.join(f'{row[name]:17.3f}' for name in METRICS)}"
        )
