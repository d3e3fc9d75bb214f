"""What an evaluation finds is what the metrics say, scan by scan and pooled."""

from types import SimpleNamespace

import numpy as np
import pytest

from skad.evaluation import evaluate, evaluate_slices
from skad.io import Volume
from skad.metrics import (
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_rates,
    foreground_roc_auc_score,
    lesion_froc,
    lesion_size_report,
)

SHAPE = (7, 8, 9)
AFFINE = np.diag([2.0, 1.0, 3.0, 1.0])


def scan(seed, n_classes=2):
    """Labels and map of a scan, (7, 8, 9), NaN background."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(SHAPE) < 0.1, rng.integers(1, n_classes + 1, SHAPE), 0)
    anomaly = (labels > 0) + rng.normal(size=SHAPE).astype(np.float32)
    anomaly[0] = np.nan
    return labels, anomaly


def records(seeds=(0, 1), **more):
    return [
        SimpleNamespace(subject=f"0{s}", session="", anomaly=scan(s)[1], affine=AFFINE, **more) for s in seeds
    ]


def volumes(seeds=(0, 1)):
    return [Volume({"FLAIR": np.ones(SHAPE)}, AFFINE, subject=f"sub-0{s}", labels=scan(s)[0]) for s in seeds]


def test_a_scan_has_a_row_for_any_abnormality_and_for_every_class():
    table = evaluate(records(), volumes(), threshold=0.5)
    assert [(r["subject"], r["label"]) for r in table.rows] == [
        (f"sub-0{s}", label) for s in (0, 1) for label in ("any", 1, 2)
    ]
    labels, anomaly = scan(1)
    for row in table.rows[3:]:
        label = None if row["label"] == "any" else row["label"]
        assert row["roc_auc"] == foreground_roc_auc_score(labels, anomaly, label=label)
        assert row["average_precision"] == foreground_average_precision_score(labels, anomaly, label=label)
        assert row["best_dice"] == foreground_best_dice_score(labels, anomaly, label=label)
        rates = foreground_rates(labels, anomaly, threshold=0.5, label=label)
        assert [row[n] for n in ("dice", "sensitivity", "specificity", "precision")] == pytest.approx(
            [rates[n] for n in ("f1", "sensitivity", "specificity", "precision")]
        )


def test_pooled_rows_are_those_of_all_voxels_together():
    labels, anomaly = (np.stack(each) for each in zip(scan(0), scan(1), strict=True))
    table = evaluate(records(), volumes(), threshold=0.5)
    for row in table.pooled:
        label = None if row["label"] == "any" else row["label"]
        assert row["roc_auc"] == pytest.approx(
            foreground_roc_auc_score(labels, anomaly, label=label), abs=1e-3
        )
        assert row["dice"] == pytest.approx(
            foreground_rates(labels, anomaly, threshold=0.5, label=label)["f1"]
        )


def test_slices_give_the_rows_of_volumes_and_exact_pooled_scores():
    """Axis 2 of the volumes is the slice axis: RAS with rows and columns reversed does not change scores."""
    table = evaluate(records(), volumes(), threshold=0.5)
    y, anomaly = (np.concatenate([np.moveaxis(scan(s)[i], 2, 0) for s in (0, 1)]) for i in (0, 1))
    groups = np.repeat(["sub-00", "sub-01"], SHAPE[2])
    found = evaluate_slices(y, anomaly, groups, threshold=0.5, voxel_size=(3.0, 2.0, 1.0))
    for ours, theirs in zip(found.rows, table.rows, strict=True):
        assert ours == pytest.approx(theirs, nan_ok=True)
    assert found.pooled[0]["roc_auc"] == foreground_roc_auc_score(y, anomaly)
    assert found.pooled[2]["dice"] == pytest.approx(
        foreground_rates(y, anomaly, threshold=0.5, label=2)["f1"]
    )
    froc = np.array(lesion_froc(y, anomaly, groups)).T
    np.testing.assert_array_equal([list(row.values()) for row in found.froc], froc)


def test_lesion_sizes_pool_the_slices_of_all_scans():
    y, anomaly = (np.concatenate([np.moveaxis(scan(s)[i], 2, 0) for s in (0, 1)]) for i in (0, 1))
    report = [row for row in lesion_size_report(y, anomaly, step=3) if row["n_slices"]]
    table = evaluate(records(), volumes(), size_step=3)
    assert [row["n_slices"] for row in table.lesion_sizes] == [row["n_slices"] for row in report]
    for key in ("roc_auc", "roc_auc_sd"):
        np.testing.assert_allclose([r[key] for r in table.lesion_sizes], [r[key] for r in report], atol=1e-12)


def test_a_map_is_judged_at_the_threshold_it_was_made_with():
    """A score at the threshold itself is not above it."""
    _, anomaly = scan(0)
    rule = SimpleNamespace(threshold=float(np.nanmax(anomaly)))
    (record,) = records([0], sidecar=SimpleNamespace(rule=rule))
    table = evaluate([record], volumes([0]))
    assert table.rows[0]["sensitivity"] == 0 and table.rows[0]["n_false_positives"] == 0
    assert "dice" not in evaluate(records([0]), volumes([0])).rows[0]


def test_scans_are_found_by_their_names_in_bids():
    record = records([0])[0]
    record.subject, record.session = "sub-BraTS20007", "ses-2"
    volume = volumes([0])[0]
    volume.subject, volume.info["session"] = "BraTS20_007", "2"
    assert evaluate([record], [volume]).rows[0]["session"] == "2"


def test_a_scan_without_a_map_or_on_another_grid_is_an_error_of_its_own():
    wrong = records([1])
    wrong[0].affine = np.eye(4)
    table = evaluate([*records([0]), *wrong], volumes([0, 1, 2]))
    assert {row["subject"] for row in table.rows} == {"sub-00"}
    assert "another grid" in str(table.errors["sub-01"]) and "no map" in str(table.errors["sub-02"])


class Names:
    """A visitor that notes the scans it has seen."""

    def __init__(self):
        self.kept = []

    def visit(self, record, volume, anomaly):
        return volume.subject, float(np.nanmax(anomaly))

    def keep(self, record, result):
        self.kept.append(result)


def test_results_do_not_depend_on_the_number_of_processes():
    names = [Names(), Names()]
    tables = [
        evaluate(records(range(5)), volumes(range(4, -1, -1)), threshold=0.5, n_jobs=n_jobs, visitor=each)
        for n_jobs, each in zip((None, 2), names, strict=True)
    ]
    assert tables[0].rows == tables[1].rows and tables[0].lesions == tables[1].lesions
    assert tables[0].pooled == tables[1].pooled and tables[0].lesion_sizes == tables[1].lesion_sizes
    assert (
        names[0].kept
        == names[1].kept
        == [(f"sub-0{s}", float(np.nanmax(scan(s)[1]))) for s in (4, 3, 2, 1, 0)]
    )


def test_labels_are_needed():
    with pytest.raises(ValueError, match="at least one with labels"):
        evaluate(records([0]), [Volume({"FLAIR": np.ones(SHAPE)}, AFFINE)])


def test_a_normal_scan_has_a_specificity_and_false_positives_and_no_auc():
    anomaly = np.zeros((2, 5, 6), np.float32)
    anomaly[0, 1, 1], anomaly[1, 4, 5], anomaly[0, 0] = 1, 1, np.nan
    (row,) = evaluate_slices(np.zeros((2, 5, 6), int), anomaly, ["a", "a"], threshold=0.5).rows
    assert np.isnan([row["roc_auc"], row["sensitivity"], row["dice"], row["lesion_recall"]]).all()
    assert row["specificity"] == 1 - 2 / 54 and row["n_false_positives"] == 2


def test_a_threshold_that_could_not_be_chosen_leaves_its_columns_empty():
    y, anomaly = scan(0)
    table = evaluate_slices(y, anomaly, np.zeros(7), threshold=float("nan"))
    assert np.isnan([table.rows[0][n] for n in ("dice", "n_false_positives", "panoptic_quality")]).all()
    assert "found" not in table.lesions[0]


def test_single_slices_are_scans():
    y, anomaly = scan(0)
    table = evaluate_slices(y, anomaly, np.arange(7), threshold=0.5)
    of_first = [row for row in table.rows if row["label"] == "any"]
    assert len(of_first) == 7 and np.isnan(of_first[0]["roc_auc"]) and of_first[3]["surface_dice"] >= 0


def test_sessions_of_a_patient_are_scans_of_their_own_and_one_subject():
    y, anomaly = scan(0)
    table = evaluate_slices(y, anomaly, np.full(7, "a"), sessions=[1, 1, 1, 1, 2, 2, 2])
    rows = [row for row in table.rows if row["label"] == "any"]
    assert [row["session"] for row in rows] == [1, 2]
    mean = next(row for row in table.summary() if row["subject"] == "mean")
    assert mean["roc_auc"] == pytest.approx(np.mean([row["roc_auc"] for row in rows]))


def test_lesions_have_a_volume_a_class_and_are_found_or_not():
    y = np.zeros((3, 6, 7), int)
    y[0, 1, 1:4], y[2, 4, 5] = 2, 1
    anomaly = np.zeros(y.shape)
    anomaly[0, 1, 1] = 3.0
    table = evaluate_slices(y, anomaly, ["a"] * 3, threshold=1.0, voxel_size=(5.0, 2.0, 10.0), dilation=0)
    first, second = table.lesions
    assert (first["label"], first["n_voxels"], first["volume_mm3"], first["found"]) == (2, 3, 300.0, 1)
    assert first["covered"] == pytest.approx(1 / 3) and first["largest_pixels"] == 3
    assert (second["label"], second["volume_mm3"], second["found"]) == (1, 100.0, 0)
    assert table.lesions_by_volume((0.0, 200.0)) == [
        {"smallest_mm3": 0.0, "below_mm3": 200.0, "n_lesions": 1, "n_found": 0.0, "recall": 0.0},
        {"smallest_mm3": 200.0, "below_mm3": np.inf, "n_lesions": 1, "n_found": 1.0, "recall": 1.0},
    ]
