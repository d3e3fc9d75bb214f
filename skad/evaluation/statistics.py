"""Scores over subjects and over seeds: means, deviations, intervals, paired comparisons."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import bootstrap, ttest_rel

from skad.utils.typing import FloatArray

N_RESAMPLES = 9999


def by_subject(rows: Sequence[Mapping[str, Any]], metric: str) -> dict[str, float]:
    """Mean of a metric over the rows (sessions, seeds) of each subject; undefined values are left out.

    Parameters
    ----------
    rows : sequence of dict
        Rows of one method, fold and label, with the keys "subject" and `metric`.
    metric : str
        Key of the metric.

    Returns
    -------
    dict of str to float
        Subjects without a value are not in it.

    See Also
    --------
    skad.evaluation.over_subjects : Mean and standard deviation over the subjects.

    Examples
    --------
    >>> from skad.evaluation import by_subject
    >>> by_subject([{"subject": "a", "dice": 0.5}, {"subject": "a", "dice": 0.7}], "dice")
    {'a': 0.6}
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        if not np.isnan(row.get(metric, np.nan)):
            values.setdefault(row["subject"], []).append(row[metric])
    return {subject: float(np.mean(each)) for subject, each in values.items()}


def over_subjects(rows: Sequence[Mapping[str, Any]], metric: str) -> tuple[float, float]:
    """Mean and population standard deviation of a metric over subjects; NaN if no subject has a value.

    Parameters
    ----------
    rows : sequence of dict
        Rows of one method, fold and label, with the keys "subject" and `metric`.
    metric : str
        Key of the metric.

    Returns
    -------
    mean, sd : float
        Over the subjects that have a value; the rows of a subject are averaged first.

    See Also
    --------
    skad.evaluation.by_subject : The values of the subjects.
    skad.evaluation.confidence_interval : Interval of the mean.

    Examples
    --------
    >>> from skad.evaluation import over_subjects
    >>> mean, sd = over_subjects([{"subject": "a", "dice": 0.5}, {"subject": "b", "dice": 0.7}], "dice")
    >>> round(mean, 3), round(sd, 3)
    (0.6, 0.1)
    """
    values = list(by_subject(rows, metric).values())
    return (float(np.mean(values)), float(np.std(values))) if values else (np.nan, np.nan)


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation of a score over seeds.

    Parameters
    ----------
    values : sequence of float
        One per seed.

    Returns
    -------
    mean, sd : float
        The mean is NaN if any seed has no value, because the other seeds do not replace it; the deviation is
        NaN for fewer than two seeds.

    See Also
    --------
    skad.evaluation.over_subjects : Mean and standard deviation over subjects.

    Examples
    --------
    >>> from skad.evaluation import over_seeds
    >>> mean, sd = over_seeds([0.5, 0.6, 0.7])
    >>> round(mean, 3), round(sd, 3)
    (0.6, 0.1)
    """
    scores = np.asarray(values, dtype=float)
    mean = float(scores.mean()) if scores.size else np.nan
    return mean, float(scores.std(ddof=1)) if scores.size > 1 else np.nan


def confidence_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % confidence interval of the mean over subjects, by the percentile bootstrap.

    Parameters
    ----------
    values : sequence of float
        One per subject.

    Returns
    -------
    low, high : float
        Bounds of the interval, equal for equal values at every call; NaN for fewer than two values.

    See Also
    --------
    skad.evaluation.paired_comparison : Interval of the difference between two methods.

    Examples
    --------
    >>> from skad.evaluation import confidence_interval
    >>> low, high = confidence_interval([0.4, 0.5, 0.6, 0.7])
    >>> 0.4 < low < 0.55 < high < 0.7
    True
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    found = bootstrap(
        (np.asarray(values, dtype=float),),
        np.mean,
        n_resamples=N_RESAMPLES,
        method="percentile",
        random_state=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def paired_comparison(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, Any]:
    """Compare two methods on the subjects that both have scored.

    Parameters
    ----------
    ours, theirs : dict of str to float
        Value of the metric per subject, as :func:`by_subject` returns it.

    Returns
    -------
    dict
        ``n_subjects`` that both have, mean ``difference`` (ours minus theirs) with its 95 % bootstrap
        interval ``low`` to ``high``, and ``p`` of the two-sided paired t-test (A, 3.1.1); NaN where it is
        undefined.

    See Also
    --------
    skad.evaluation.by_subject : Gives the values.
    skad.evaluation.holm : Adjusts the p-values of several comparisons.

    Examples
    --------
    >>> from skad.evaluation import paired_comparison
    >>> ours, theirs = {"a": 0.5, "b": 0.7, "c": 0.6}, {"a": 0.4, "b": 0.5, "c": 0.5}
    >>> found = paired_comparison(ours, theirs)
    >>> found["n_subjects"], round(found["difference"], 3), round(found["p"], 3)
    (3, 0.133, 0.057)
    """
    subjects = [subject for subject in ours if subject in theirs]
    pairs = np.array([[ours[s], theirs[s]] for s in subjects]).reshape(-1, 2)
    differences = pairs[:, 0] - pairs[:, 1]
    low, high = confidence_interval(differences)
    defined = len(differences) > 1 and np.ptp(differences) > 0
    return {
        "n_subjects": len(subjects),
        "difference": float(differences.mean()) if subjects else float("nan"),
        "low": low,
        "high": high,
        "p": float(ttest_rel(*pairs.T).pvalue) if defined else float("nan"),
    }


def holm(p_values: Sequence[float]) -> FloatArray:
    """Adjust p-values for multiple comparisons by Holm's step-down method.

    Parameters
    ----------
    p_values : sequence of float
        One per comparison. NaN marks a comparison that could not be made; it stays NaN and is not counted.

    Returns
    -------
    ndarray of float64, shape (n_comparisons,)
        Adjusted p-values, at most 1, in the order given. Rejecting those up to a level keeps the probability
        of any false rejection at that level.

    See Also
    --------
    skad.evaluation.paired_comparison : Gives the p-values.

    References
    ----------
    .. [1] Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Stat. 6, 1979.

    Examples
    --------
    >>> from skad.evaluation import holm
    >>> holm([0.01, 0.04, float("nan"), 0.03])
    array([0.03, 0.06,  nan, 0.06])
    """
    p = np.asarray(p_values, dtype=float)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    adjusted = np.full(p.shape, np.nan)
    stepped = p[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return adjusted
