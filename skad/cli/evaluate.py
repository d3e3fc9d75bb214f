"""``skad evaluate``: maps against the truth, per patient, per class and per lesion size."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from skad.cli.cohort import load_cohort
from skad.cli.output import (
    ENDING,
    EVALUATION,
    LESION_SIZES,
    LESION_VOLUMES,
    REPORT,
    ROC,
    complain,
    map_path,
    sidecar_path,
    tell,
    write_table,
)
from skad.cli.report import write_report
from skad.evaluation import evaluate as evaluate_maps
from skad.evaluation.scan import RANKING
from skad.io.nifti import open_nifti
from skad.plotting import plot_roc, save_figure


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
    if volumes and not any(volume.has_labels for volume in volumes):
        raise ValueError(
            f"{folder} has no labels to compare with: add label-lesion masks (BIDS) or segmentations."
        )
    records = [_Record(v.subject, v.info.get("session"), map_path(maps, v)) for v in volumes]
    labelled = tqdm([volume for volume in volumes if volume.has_labels], unit="subject", disable=None)
    table = evaluate_maps(records, labelled, size_step=size_step)
    errors |= table.errors
    complain("evaluate", errors)
    if not table.rows:
        return 2
    _write(table, maps)
    if report:
        errors |= write_report(maps, volumes, maps / REPORT, scans=folder)
    return 1 if errors else 0


@dataclass(frozen=True)
class _Record:
    """A map in a folder."""

    subject: str
    session: str | None
    path: Path

    @property
    def affine(self):
        return open_nifti(self.path).affine

    @property
    def anomaly(self):
        anomaly = open_nifti(self.path).load().astype(np.float32)
        if json.loads(sidecar_path(self.path).read_text()).get("OutsideForeground") == 0:
            anomaly[anomaly == 0] = np.nan
        return anomaly


def _contrasts(maps):
    """The contrasts the maps were made from, told by any sidecar."""
    sidecar = next(maps.glob(f"sub-*/**/anat/*{ENDING}.json"), None)
    if sidecar is None:
        raise ValueError(
            f"{maps} holds no sub-*/anat/*_{ENDING}.nii.gz with its .json: give a folder of `skad score`."
        )
    return json.loads(sidecar.read_text()).get("Contrasts")


def _write(table, maps):
    summary = table.summary()
    write_table([*table.rows, *summary], maps / EVALUATION)
    for rows, name in ((table.lesion_sizes, LESION_SIZES), (table.lesions_by_volume(), LESION_VOLUMES)):
        if rows:
            write_table(rows, maps / name)
    if curves := table.roc_curves():
        save_figure(plot_roc(curves), maps / ROC)
    tell(f"{len({row['subject'] for row in table.rows})} subjects")
    print(f"{'':<11}{'label':>9}  {'  '.join(f'{name:>17}' for name in RANKING)}")
    for row in summary:
        scores = "  ".join(f"{row[name]:17.3f}" for name in RANKING)
        print(f"{row['subject']:<11}{row['label']!s:>9}  {scores}")
    tell(f"Tables: {maps / EVALUATION}, {maps / LESION_SIZES}.")
