"""The rows that the repository keeps: fewer, shorter, and enough for the pages' tables."""

import math

import publish

from skad.benchmark.fold_tables import LESIONS, RANKING


def scan(**changed):
    scores = dict.fromkeys([*RANKING.values(), *LESIONS.values()], 1 / 3)
    names = {"cohort": "c", "method": "m", "seed": 0, "subject": "s", "session": "", "n_normal": 7}
    return {"fold": "test", "label": "any", **names, **scores, **changed}


def test_scans_are_those_of_any_abnormality_outside_the_validation_fold():
    rows = [scan(), scan(label="1"), scan(fold="validation"), scan(fold="ms")]
    assert [row["fold"] for row in publish.published("scans", rows)] == ["test", "ms"]


def test_scans_keep_what_tables_are_made_from_with_four_digits():
    (row,) = publish.published("scans", [scan(best_dice=math.nan)])
    assert row["roc_auc"] == 0.3333 and row["best_dice"] == "" and "n_normal" not in row
    assert set(RANKING.values()) | set(LESIONS.values()) <= set(row)


def test_other_tables_keep_every_row_and_column_with_six_digits():
    rows = [{"fold": "validation", "label": "1", "roc_auc": 2 / 3, "n_normal": 7}]
    assert publish.published("pooled", rows) == [rows[0] | {"roc_auc": 0.666667}]
