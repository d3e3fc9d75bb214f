"""Which patients a detector learns from, which choose its threshold, and which it is judged on."""

import numpy as np

from skad.utils.names import check_keys

FOLDS = ("train", "validation", "test")
_OF_COLUMNS = ("column", "held_out", "chosen_on", "seed")


def check_folds(name, folds):
    """Raise where a cohort's folds make no sense; returns them.

    Parameters
    ----------
    name : str
        Of the cohort, for messages.
    folds : dict
        As of :func:`split_volumes`.
    """
    what = f"key in the folds of {name!r},"
    check_keys(folds, (*FOLDS, *_OF_COLUMNS) if "column" in folds else (*FOLDS, "seed"), what)
    kind, hint = (
        (str, "the column's value or a list of them") if "column" in folds else (int, "a number of patients")
    )
    for fold in ("train", "test"):
        if fold not in folds:
            raise ValueError(f"The folds of {name!r} should have {fold} = {hint}.")
    for key, value in folds.items():
        expected = {"column": str, "seed": int, "held_out": int, "chosen_on": int}.get(key, kind)
        values = value if isinstance(value, list) and expected is kind is str else [value]
        if not all(isinstance(each, expected) for each in values) or (expected is int and value < 0):
            raise ValueError(f"{key} in the folds of {name!r} should be {hint}, got {value!r}.")
    if len({"held_out", "chosen_on", "validation"} & set(folds)) > 1:
        raise ValueError(f"The folds of {name!r} should have one of validation, held_out and chosen_on.")
    return folds


def split_volumes(volumes, folds):
    """The volumes of each fold; no patient is in two.

    Parameters
    ----------
    volumes : list of Volume
    folds : dict
        Either ``column`` of participants.tsv and its value, or a list of values, for "train", "test" and
        perhaps "validation", or instead ``held_out``, so many training patients (the last ones), or
        ``chosen_on``, so many test patients drawn with ``seed``, which are not judged on then; or numbers of
        patients for these, drawn at random with ``seed`` (default 0). Without "validation" the training
        patients' slices with a lesion take its place (A, 2.4), which nothing is trained on.

    Returns
    -------
    dict of str to list of Volume

    Raises
    ------
    ValueError
        There are too few patients, or none with a column's value.
    """
    asked = {fold: folds[fold] for fold in FOLDS if fold in folds}
    patients = list(dict.fromkeys(volume.subject for volume in volumes))
    if "column" in folds:
        column = {volume.subject: str(volume.info.get(folds["column"])) for volume in volumes}
        chosen = {fold: [p for p in patients if column[p] in _listed(value)] for fold, value in asked.items()}
        if n := folds.get("held_out", 0):
            chosen["validation"], chosen["train"] = chosen["train"][-n:], chosen["train"][:-n]
        if n := folds.get("chosen_on", 0):
            drawn = set(np.random.default_rng(folds.get("seed", 0)).permutation(chosen["test"])[:n].tolist())
            chosen["validation"] = [p for p in chosen["test"] if p in drawn]
            chosen["test"] = [p for p in chosen["test"] if p not in drawn]
    else:
        chosen = _drawn(patients, asked, folds.get("seed", 0))
    for fold, members in chosen.items():
        if not members:
            raise ValueError(
                f"The fold {fold} ({folds.get('column', 'count')} = {asked.get(fold)!r}) has no patient."
            )
    return {fold: [v for v in volumes if v.subject in set(members)] for fold, members in chosen.items()}


def _listed(value):
    return value if isinstance(value, list) else [value]


def _drawn(patients, counts, seed):
    if sum(counts.values()) > len(patients):
        raise ValueError(
            f"The folds ask for {sum(counts.values())} patients ({counts}), but there are {len(patients)}."
        )
    order = np.random.default_rng(seed).permutation(sorted(patients)).tolist()
    ends = np.cumsum([0, *counts.values()])
    return {fold: order[ends[i] : ends[i + 1]] for i, fold in enumerate(counts)}
