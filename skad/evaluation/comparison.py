"""Maps against labels: scan by scan from a folder, or all slices at once."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from skad.evaluation.lesions import SliceSizes, lesion_rows
from skad.evaluation.result import Evaluation, pooled_of_histogram
from skad.evaluation.scan import (
    ANY,
    LesionRules,
    classes_of,
    ranking_scores,
    rates_at,
    rates_of_counts,
    scan_rows,
)
from skad.io.volumes import name_of
from skad.metrics import ScoreHistogram, UndefinedScoreError, foreground_calibration_error, lesion_froc
from skad.metrics.foreground import check_map
from skad.metrics.groups import check_groups
from skad.preprocessing.reorient import Reorientation
from skad.utils.progress import Progress
from skad.utils.typing import Array
from skad.utils.workers import WorkerDiedError, run_each

Probability = Callable[[Array], Array]


def evaluate(
    maps: Iterable[Any],
    volumes: Iterable[Any],
    *,
    threshold: float | None = None,
    size_step: int = 200,
    dilation: int = 3,
    min_size: int = 1,
    tolerance: float = 2.0,
    probability: Probability | None = None,
    n_jobs: int | None = None,
    visitor: Any = None,
) -> Evaluation:
    """Compare maps with the labels of their volumes, one scan at a time.

    Parameters
    ----------
    maps : iterable of records
        Such as a ``skad.derivatives.Derivative``. Of a record are read ``subject``, ``session`` (or None),
        ``anomaly`` (array on the volume's grid, high where abnormal, NaN in the background), ``affine`` and,
        where its ``sidecar`` has a ``rule``, the ``threshold`` of that, above which voxels are abnormal.
    volumes : iterable of Volume
        With labels; those without are left out.
    threshold : float, default=None
        At or above it a voxel counts as abnormal. None takes the threshold of each record.
    size_step : int, default=200
        Width of a range of lesion sizes, pixels of the volume's own axial slices.
    dilation : int, default=3
        Of lesion-wise scores, voxels; see :func:`skad.metrics.lesionwise_scores`.
    min_size : int, default=1
        Voxels of the smallest lesion that counts.
    tolerance : float, default=2.0
        Of the surface Dice, mm.
    probability : callable, default=None
        Scores to probabilities of being abnormal, such as a `ScoreProbability`, to measure calibration.
    n_jobs : int, default=None
        Scans at the same time, in processes of this machine or, inside ``joblib.parallel_config``, on a
        cluster. Results do not depend on it.
    visitor : skad.derivatives.Visitor, default=None
        What else to do with a scan while it and its map are in memory.

    Returns
    -------
    Evaluation
        Scans without a map, or whose map lies on another grid, are in its ``errors``.

    Raises
    ------
    ValueError
        No volume has labels.

    See Also
    --------
    evaluate_slices : From arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from skad.evaluation import evaluate
    >>> from skad.io import Volume
    >>> labels = np.zeros((4, 5, 3), dtype=int)
    >>> labels[1:3, 2:4, 1] = 1
    >>> volume = Volume({"FLAIR": 1.0 + labels}, np.eye(4), subject="sub-01", labels=labels)
    >>> record = SimpleNamespace(subject="sub-01", session="", anomaly=labels + 0.1, affine=np.eye(4))
    >>> table = evaluate([record], [volume], threshold=1.0)
    >>> table
    <Evaluation of 1 subjects, pooled roc_auc 1.000, average_precision 1.000, best_dice 1.000>
    >>> table.rows[0]["sensitivity"], table.rows[0]["n_false_positives"], table.lesions[0]["volume_mm3"]
    (1.0, 0, 4.0)
    """
    by_name = {_key(record.subject, record.session): record for record in maps}
    rules = LesionRules(dilation, min_size, tolerance)
    collected = _Collected(size_step, rules, probability)
    labeled = [volume for volume in volumes if volume.has_labels]
    if not labeled:
        raise ValueError("volumes should hold at least one with labels, got none.")
    pairs = [(by_name.get(_key(each.subject, each.info.get("session"))), each) for each in labeled]
    task = _OneScan(threshold, size_step, rules, probability, visitor)
    waiting = {}
    with Progress("evaluate", len(pairs)) as progress:
        for index, result in run_each(task, pairs, n_jobs=n_jobs):
            waiting[index] = result
            progress.step(name_of(labeled[index]))
            while (found := waiting.pop(collected.n_scans, None)) is not None:  # in the order of the volumes
                record, volume = pairs[collected.n_scans]
                collected.take(record, volume, found, visitor)
    return collected.result(threshold)


def evaluate_slices(
    y: Array,
    anomaly: Array,
    groups: Array,
    *,
    sessions: Array | None = None,
    threshold: float | None = None,
    size_step: int = 200,
    voxel_size: Array | tuple[float, float, float] = (1.0, 1.0, 1.0),
    dilation: int = 3,
    min_size: int = 1,
    tolerance: float = 2.0,
    probability: Probability | None = None,
) -> Evaluation:
    """Compare anomaly maps of slices with their labels; pooled scores are exact.

    Parameters
    ----------
    y : array-like of int, shape (n_slices, height, width)
        0 normal, ``k >= 1`` abnormality class k.
    anomaly : array-like of the same shape
        High where abnormal, NaN in the background.
    groups : array-like of shape (n_slices,)
        Patient of each slice; the slices of a scan are neighbors in the order in which they come.
    sessions : array-like of shape (n_slices,), default=None
        Scan of each slice where a patient has several; None takes a patient's slices as one scan.
    threshold : float, default=None
        At or above it a pixel counts as abnormal; None leaves out the columns that need one, NaN (there was
        nothing to choose it on) leaves them empty.
    size_step : int, default=200
        Width of a range of lesion sizes, pixels.
    voxel_size : array-like of shape (3,) or (n_slices, 3), default=(1.0, 1.0, 1.0)
        Distance of slices, rows and columns, mm; of each slice where scans differ.
    dilation : int, default=3
        Of lesion-wise scores, pixels; see :func:`skad.metrics.lesionwise_scores`.
    min_size : int, default=1
        Pixels of the smallest lesion that counts.
    tolerance : float, default=2.0
        Of the surface Dice, mm.
    probability : callable, default=None
        Scores to probabilities of being abnormal, such as a `ScoreProbability`, to measure calibration.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If the arrays do not fit together.

    See Also
    --------
    evaluate : From a folder of maps, one scan in memory at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.evaluation import evaluate_slices
    >>> y = np.array([[[0, 0, 1]], [[0, 1, 1]], [[0, 0, 0]]])
    >>> anomaly = np.array([[[0.1, 0.2, 0.9]], [[0.3, 0.2, 0.8]], [[0.1, 0.9, np.nan]]])
    >>> table = evaluate_slices(y, anomaly, ["a", "b", "c"], threshold=0.5)
    >>> for row in table.rows:
    ...     if row["label"] == "any":
    ...         print(row["subject"], row["roc_auc"], row["dice"], row["n_false_positives"])
    a 1.0 1.0 0
    b 0.5 0.6666666666666666 0
    c nan nan 1
    """
    y, anomaly = check_map(y, anomaly)
    if y.ndim != 3:
        raise ValueError(f"y should have shape (n_slices, height, width), got {y.shape}.")
    groups = check_groups(groups, len(y))
    sessions = np.full(len(y), "") if sessions is None else check_groups(sessions, len(y))
    voxel_size = np.broadcast_to(np.asarray(voxel_size, dtype=float), (len(y), 3))
    collected = _Collected(size_step, LesionRules(dilation, min_size, tolerance), probability)
    scans = list(dict.fromkeys(zip(groups.tolist(), sessions.tolist(), strict=True)))
    for group, session in scans:
        inside = (groups == group) & (sessions == session)
        spacing = tuple(voxel_size[inside][0].tolist())
        collected.update(y[inside], anomaly[inside], group, session, threshold, spacing)
    result = collected.result(threshold)
    result.pooled = _pooled_exactly(y, anomaly, threshold, probability)
    result.froc = _froc(y, anomaly, [scans.index(scan) for scan in zip(groups, sessions, strict=True)])
    return result


@dataclass(frozen=True)
class _OneScan:
    """Compare one map with its labels; runs in a worker."""

    threshold: float | None
    size_step: int
    rules: LesionRules
    probability: Probability | None
    visitor: Any

    def __call__(self, pair):
        """What there is to collect of a record and its volume, and what the visitor made of them."""
        record, volume = pair
        if record is None:
            raise ValueError("there is no map of it: score it first.")
        volume = volume.cached()  # every file is read once, and let go
        threshold = _threshold_of(record) if self.threshold is None else self.threshold
        anomaly = np.asarray(record.anomaly)
        y, axial, voxel_size = _axial(anomaly, record.affine, volume)
        collected = _Collected(self.size_step, self.rules, self.probability)
        session = volume.info.get("session") or ""
        collected.update(y, axial, volume.subject, session, threshold, voxel_size)
        return collected, self.visitor and self.visitor.visit(record, volume, anomaly)


class _Collected:
    """What the scans that have come so far add up to."""

    def __init__(self, size_step, rules, probability):
        self.rules, self.probability = rules, probability
        self.sizes = SliceSizes(size_step)
        self.histogram = ScoreHistogram()
        self.rows, self.lesions, self.errors = [], [], {}
        self.counts = {}  # label: true and false positives, where every scan had a threshold
        self.n_scans = 0

    def update(self, y, anomaly, subject, session, threshold, voxel_size):
        """Add a scan, (n_slices, height, width)."""
        name = {"subject": subject, "session": session}
        options = {"threshold": threshold, "voxel_size": voxel_size}
        rows = scan_rows(y, anomaly, probability=self.probability, rules=self.rules, **options)
        lesions = lesion_rows(y, anomaly, dilation=self.rules.dilation, **options)
        self.histogram.update(y, anomaly)
        self.sizes.update(y, anomaly)
        self.rows += [name | row for row in rows]
        self.lesions += [name | row for row in lesions]
        self._add_counts(_counts(y, anomaly, threshold))

    def take(self, record, volume, result, visitor):
        """Add what `_OneScan` found of the next scan, or its error."""
        self.n_scans += 1
        if isinstance(result, Exception):
            if not isinstance(result, (ValueError, OSError, WorkerDiedError)):
                raise result
            self.errors[name_of(volume)] = result
            return
        found, seen = result
        self.histogram = self.histogram + found.histogram
        self.sizes.add(found.sizes)
        self.rows += found.rows
        self.lesions += found.lesions
        self._add_counts(found.counts)
        if visitor is not None:
            visitor.keep(record, seen)

    def _add_counts(self, counts):
        if counts is None or self.counts is None:
            self.counts = None
            return
        self.counts = {k: self.counts.get(k, 0) + counts.get(k, 0) for k in {**self.counts, **counts}}

    def result(self, threshold):
        """The evaluation of the scans so far."""
        pooled = [row | self._rates(row) for row in pooled_of_histogram(self.histogram)]
        return Evaluation(
            rows=self.rows,
            pooled=pooled if self.rows else [],
            lesion_sizes=self.sizes.rows(),
            lesions=self.lesions,
            histogram=self.histogram,
            threshold=threshold,
            errors=self.errors,
        )

    def _rates(self, row):
        if not self.counts:
            return {}
        wanted = [k for k in self.counts if k] if row["label"] == ANY else [row["label"]]
        true = sum(self.counts.get(k, 0) for k in wanted)
        return rates_of_counts(true, self.counts[0], row["n_abnormal"], row["n_normal"])


def _counts(y, anomaly, threshold):
    """Pixels of every class at or above the threshold; None without one."""
    if threshold is None:
        return None
    with np.errstate(invalid="ignore"):
        predicted = anomaly >= threshold
    return {label: int(np.count_nonzero(predicted & (y == label))) for label in (0, *classes_of(y, anomaly))}


def _pooled_exactly(y, anomaly, threshold, probability):
    rows = []
    for label in (None, *classes_of(y, anomaly)):
        row = {"label": label or ANY, **ranking_scores(y, anomaly, label)}
        if threshold is not None:
            row |= rates_at(y, anomaly, threshold, label)
        if probability is not None:
            row["calibration_error"] = foreground_calibration_error(y, probability(anomaly), label=label)
        rows.append(row)
    return rows


def _froc(y, anomaly, scans):
    try:
        points = zip(*lesion_froc(y, anomaly, scans), strict=True)
    except UndefinedScoreError:
        return []
    names = ("false_positives", "sensitivity", "threshold")
    return [dict(zip(names, map(float, point), strict=True)) for point in points]


def _axial(anomaly, affine, volume):
    """Labels and map as axial slices on the volume's own grid, and the distances along their axes, mm."""
    if anomaly.shape != volume.shape or not np.allclose(affine, volume.affine, atol=1e-3):
        raise ValueError("its map lies on another grid than its images: score them again.")
    axial = Reorientation.to_axial(volume.affine)
    spacing = axial.along_slices(volume.voxel_size)
    return axial.forward(volume.labels), axial.forward(anomaly), spacing


def _threshold_of(record):
    """The smallest score that is above the threshold a map was made with; None where there was none."""
    rule = getattr(getattr(record, "sidecar", None), "rule", None)
    return None if rule is None else float(np.nextafter(np.float32(rule.threshold), np.float32(np.inf)))


def _key(subject, session):
    """What a scan is called in BIDS: letters and digits, without ``sub-`` and ``ses-``."""
    return (_bare(subject, "sub-"), _bare(session or "", "ses-"))


def _bare(name, prefix):
    return re.sub("[^0-9A-Za-z]", "", str(name).removeprefix(prefix))
