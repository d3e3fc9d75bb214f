"""How sure a comparison is: patients are what is resampled, seeds are averaged first."""

import numpy as np
from scipy.stats import bootstrap, ttest_rel

N_RESAMPLES = 9999


def by_patient(rows, metric):
    """A metric of each patient, mean over the seeds; patients without a value are left out.

    Parameters
    ----------
    rows : list of dict
        Of the table "patients": one method, one cohort, one fold.
    metric : str

    Returns
    -------
    dict of str to float
    """
    values = {}
    for row in rows:
        if not np.isnan(row[metric]):
            values.setdefault(row["patient"], []).append(row[metric])
    return {patient: float(np.mean(each)) for patient, each in values.items()}


def confidence_interval(values):
    """95 % interval of the mean over patients, by the percentile bootstrap; NaN for fewer than two."""
    if len(values) < 2:
        return float("nan"), float("nan")
    found = bootstrap(
        (np.asarray(values, dtype=float),),
        np.mean,
        n_resamples=N_RESAMPLES,
        method="percentile",
        random_state=np.random.default_rng(0),
    )
    return tuple(map(float, found.confidence_interval))


def paired_comparison(ours, theirs):
    """Two methods on the same patients.

    Parameters
    ----------
    ours, theirs : dict of str to float
        As of :func:`by_patient`.

    Returns
    -------
    dict
        "n_patients" that both have, mean "difference" (ours minus theirs) with its 95 % interval "low" to
        "high", and "p" of the two-sided paired t-test (A, 3.1.1); NaN where it is undefined.
    """
    patients = [patient for patient in ours if patient in theirs]
    pairs = np.array([[ours[p], theirs[p]] for p in patients]).reshape(-1, 2)
    differences = pairs[:, 0] - pairs[:, 1]
    low, high = confidence_interval(differences)
    defined = len(differences) > 1 and np.ptp(differences) > 0
    return {
        "n_patients": len(patients),
        "difference": float(differences.mean()) if patients else float("nan"),
        "low": low,
        "high": high,
        "p": float(ttest_rel(*pairs.T).pvalue) if defined else float("nan"),
    }
