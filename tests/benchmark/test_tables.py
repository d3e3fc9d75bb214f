"""Tables and figures, from the CSV files and nothing else."""

import csv
import dataclasses

import numpy as np
import pytest

from skad.benchmark import write_figures, write_tables
from skad.benchmark.figures import found_at, plot_singularity, size_reports
from skad.benchmark.fold_tables import (
    calibrated_dice_table,
    calibration_table,
    comparison_table,
    fold_tables,
    score_table,
    subject_table,
    threshold_table,
)
from skad.benchmark.results import read_results, read_rows, write_rows
from skad.benchmark.summary import Summary
from skad.benchmark.tables import make_tables


@pytest.fixture
def results(finished):
    return read_results(finished[1])


@pytest.fixture
def summary(finished, results):
    return Summary(finished[0], results, "brains")


def cells(table, method):
    (row,) = [row for row in table.rows if row[0] == method]
    return row[1:]


def test_numbers_survive_a_csv(tmp_path):
    rows = [{"seed": 3, "method": "1", "roc_auc": 1 / 3}, {"seed": -4, "method": "a, b", "roc_auc": 1e-300}]
    write_rows(rows, tmp_path / "x.csv")
    assert read_rows(tmp_path / "x.csv") == rows
    write_rows([{"roc_auc": float("nan")}, {}], tmp_path / "x.csv")
    assert all(np.isnan(row["roc_auc"]) for row in read_rows(tmp_path / "x.csv"))


def test_a_score_is_mean_and_deviation_over_the_seeds(finished, results):
    aucs = [
        row["roc_auc"]
        for row in results["pooled"]
        if (row["method"], row["fold"], row["label"]) == ("density", "test", "any")
    ]
    results = results | {"runs": [r | {"status": "ok"} for r in results["runs"] if r["method"] == "density"]}
    found = cells(score_table(Summary(finished[0], results, "brains"), "test"), "density")
    assert found[0] == "2" and found[1] == f"{np.mean(aucs):.3f} ± {np.std(aucs, ddof=1):.3f}"


def test_what_collapsed_or_stopped_is_no_number(summary):
    table = score_table(summary, "test")
    assert cells(table, "dead")[1:] == ["collapsed: the score is constant", "-", "-"]
    assert cells(table, "singular")[1].startswith("stopped: Covariances")
    assert cells(threshold_table(summary, "test"), "dead")[0] == "collapsed: the score is constant"
    assert cells(subject_table(summary, "test"), "dead")[:3] == ["0", "collapsed: the score is constant", "-"]
    assert "dead" not in [row[0] for row in comparison_table(summary, "test").rows]


def test_fewer_seeds_than_needed_are_no_number_unless_a_seed_changes_nothing(finished, results):
    study = dataclasses.replace(finished[0], min_seeds=3)
    table = score_table(Summary(study, results, "brains"), "test")
    assert cells(table, "residual")[1] == "2 of 3 seeds"  # of a trained reference
    assert cells(table, "FLAIR")[1].startswith("0.")


def test_one_subject_has_no_interval_and_no_table(finished, results):
    scans = [row for row in results["scans"] if row["fold"] == "test"]
    alone = [row for row in scans if row["subject"] == scans[0]["subject"]]
    for rows, expected in ((scans, True), (alone, False)):
        summary = Summary(finished[0], results | {"scans": rows}, "brains")
        names = {table.name for table in fold_tables(summary, "test")}
        assert ("brains_test_subjects" in names) is expected
        assert ("brains_test_comparison" in names) is expected


def test_a_mean_leaves_out_the_runs_that_collapsed_and_says_so(finished, results):
    runs = [
        run | {"status": "collapsed: x" if (run["method"], run["seed"]) == ("mixture", 1) else run["status"]}
        for run in results["runs"]
    ]
    (row,) = [
        row
        for row in results["pooled"]
        if (row["method"], row["seed"], row["fold"], row["label"]) == ("mixture", 0, "test", "any")
    ]
    study = dataclasses.replace(finished[0], min_seeds=1)
    found = cells(score_table(Summary(study, results | {"runs": runs}, "brains"), "test"), "mixture")
    assert found[1] == f"{row['roc_auc']:.3f} (1 of 2 collapsed: x)"
    found = cells(score_table(Summary(finished[0], results | {"runs": runs}, "brains"), "test"), "mixture")
    assert found[1:] == ["1 of 2 collapsed: x", "-", "-"]


def test_tables_are_narrow_and_costs_stand_alone(finished, results):
    tables = [table for part in make_tables(finished[0], results).values() for table in part]
    assert max(len(table.head) for table in tables) <= 7
    assert all(len(row) == len(table.head) for table in tables for row in table.rows)
    assert [table.name for table in tables if "peak GB" in table.head] == ["brains_costs"]


def test_the_threshold_table_shows_what_the_choice_loses(results, summary):
    (row,) = [
        r for r in results["pooled"] if (r["method"], r["fold"], r["label"]) == ("FLAIR", "test", "any")
    ]
    expected = [f"{v:.3f}" for v in (row["dice"], row["best_dice"] - row["dice"], row["sensitivity"])]
    assert cells(threshold_table(summary, "test"), "FLAIR")[:3] == expected


def test_tables_and_figures_are_written_for_every_fold(finished, tmp_path):
    study, folder = finished
    for path in folder.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    study = dataclasses.replace(study, title="Tiny brains")
    text = write_tables(study, tmp_path).read_text()
    assert text.startswith("# Tiny brains") and "AUC of subjects, minus that of mixture" in text
    for title in ("validation fold", "test fold", "strokes"):
        assert f"## Trained on brains: {title}" in text
    with open(tmp_path / "tables" / "brains_test_scores.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["method", "runs", "AUC", "AP", "best Dice"] and rows[1][0] == "FLAIR"
    names = {path.name for path in write_figures(study, tmp_path)}
    assert names == {
        "singularity_brains.png",
        *(
            f"{kind}_brains_{fold}.png"
            for kind in ("froc", "lesion_sizes")
            for fold in ("validation", "test", "strokes")
        ),
    }
    assert all((tmp_path / "figures" / name).stat().st_size for name in names)


def test_the_band_of_lesion_sizes_is_over_slices_and_not_over_seeds():
    ranges = ((201, 400, 2), (1, 200, 5))
    rows = [
        {
            "method": "m",
            "seed": seed,
            "smallest_pixels": low,
            "largest_pixels": high,
            "n_slices": n,
            "roc_auc": 0.5 + 0.1 * seed,
            "roc_auc_sd": 0.2,
        }
        for seed in (0, 1)
        for low, high, n in ranges
    ]
    (report,) = size_reports(rows).values()
    assert [(row["smallest"], row["n_slices"]) for row in report] == [(1, 5), (201, 2)]
    np.testing.assert_allclose([row["roc_auc"] for row in report], 0.55)
    np.testing.assert_allclose([row["roc_auc_sd"] for row in report], 0.2)


def test_lesions_are_found_at_a_price():
    """A curve may turn back: more false positives never find fewer lesions."""
    rows = [
        {"false_positives": f, "sensitivity": s} for f, s in ((0.5, 0.2), (2.0, 0.6), (1.0, 0.4), (9.0, 0.1))
    ]
    np.testing.assert_array_equal(found_at(rows, [0.1, 0.5, 1.5, 2, 99]), [0, 0.2, 0.4, 0.6, 0.6])


def test_an_interruption_is_marked_where_it_happened():
    curves = [{"method": "none", "seed": 0, "loss": "energy", "epoch": e, "value": -e} for e in (1, 2)]
    runs = [{"method": "none", "seed": s, "status": "stopped: singular"} for s in (0, 1)]
    (axis,) = plot_singularity(curves, runs, ["none"]).axes
    crosses = [line for line in axis.get_lines() if line.get_marker() == "x"]
    assert [tuple(line.get_xydata()[0]) for line in crosses] == [(2, -2), (0, 0.5)]
    assert crosses[0].get_label() == "none, seed 0: interrupted in epoch 3"


def test_realized_rates_are_the_mean_over_the_seeds(summary):
    rows = [r for r in summary.rows("calibration", "mixture", "test") if r["unit"] == "patient"]
    table = calibration_table(summary, "test")
    assert table.head == ["method", "unit", "patients", "target 0.1", "target 0.4"]
    (row,) = [row for row in table.rows if row[:2] == ["mixture", "patient"]]
    mean = np.mean([r["realized"] for r in rows if r["rate"] == 0.4])
    assert row[2:4] == ["2", "too few patients"] and row[4].startswith(f"{mean:.4f} (")


def test_there_is_a_table_of_drift_and_one_of_calibrated_masks(finished, results, summary):
    names = {table.name for tables in make_tables(finished[0], results).values() for table in tables}
    assert {"brains_drift", "brains_test_calibrated_dice"} <= names
    dice = calibrated_dice_table(summary, "test")
    ended_well = {run["method"] for run in results["runs"] if run["status"] == "ok"}
    assert dice.head[-1] == "best Dice" and {row[0] for row in dice.rows} == ended_well
