"""Tables and figures, from the CSV files and nothing else."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from skad.benchmark import write_figures, write_tables
from skad.benchmark.figures import found_at, plot_singularity, size_reports
from skad.benchmark.results import read_results, read_rows, write_rows
from skad.benchmark.statistics import by_patient, confidence_interval, paired_comparison
from skad.benchmark.tables import fold_tables, patient_table, score_table, threshold_table


@pytest.fixture
def results(finished):
    return read_results(finished[1])


def cells(lines, method):
    (line,) = [line for line in lines if line.startswith(f"| {method} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_numbers_survive_a_csv(tmp_path):
    rows = [{"seed": 3, "method": "1", "roc_auc": 1 / 3}, {"seed": -4, "method": "a, b", "roc_auc": 1e-300}]
    write_rows(rows, tmp_path / "x.csv")
    assert read_rows(tmp_path / "x.csv") == rows
    write_rows([{"roc_auc": float("nan")}, {}], tmp_path / "x.csv")
    assert all(np.isnan(row["roc_auc"]) for row in read_rows(tmp_path / "x.csv"))


def test_a_score_is_mean_and_deviation_over_the_seeds(results):
    aucs = [
        row["roc_auc"]
        for row in results["pooled"]
        if (row["method"], row["fold"], row["label"]) == ("density", "test", "any")
    ]
    results = results | {"runs": [r | {"status": "ok"} for r in results["runs"] if r["method"] == "density"]}
    found = cells(score_table(results, "test"), "density")
    assert found[0] == "2" and found[1] == f"{np.mean(aucs):.3f} ± {np.std(aucs, ddof=1):.3f}"


def test_what_collapsed_or_stopped_is_no_number(results):
    lines = score_table(results, "test")
    assert cells(lines, "dead")[1:7] == ["collapsed: the score is constant", *["-"] * 5]
    assert cells(lines, "singular")[1].startswith("stopped: Covariances")
    assert cells(threshold_table(results, "test"), "dead")[0] == "collapsed: the score is constant"
    assert cells(patient_table(results, "test"), "dead")[:3] == ["0", "collapsed: the score is constant", "-"]


def test_one_patient_has_no_interval_and_no_table(results):
    patients = [row for row in results["patients"] if row["fold"] == "test"]
    alone = [row for row in patients if row["patient"] == patients[0]["patient"]]
    head = "| method, per patient |"
    assert any(line.startswith(head) for line in fold_tables(results, "test"))
    assert not any(line.startswith(head) for line in fold_tables(results | {"patients": alone}, "test"))


def test_a_mean_leaves_out_the_runs_that_collapsed_and_says_so(results):
    runs = [
        run | {"status": "collapsed: x" if (run["method"], run["seed"]) == ("mixture", 1) else run["status"]}
        for run in results["runs"]
    ]
    (row,) = [
        row
        for row in results["pooled"]
        if (row["method"], row["seed"], row["fold"], row["label"]) == ("mixture", 0, "test", "any")
    ]
    found = cells(score_table(results | {"runs": runs}, "test"), "mixture")
    assert found[1] == f"{row['roc_auc']:.3f} (1 of 2 collapsed: x)"


def test_costs_stand_in_every_table(results):
    score, *others = (make(results, "test") for make in (score_table, patient_table, threshold_table))
    costs = cells(score, "FLAIR")[-4:]
    assert "-" not in costs
    assert all(cells(lines, "FLAIR")[-4:] == costs for lines in others)


def test_the_threshold_table_shows_what_the_choice_loses(results):
    (row,) = [
        r for r in results["pooled"] if (r["method"], r["fold"], r["label"]) == ("FLAIR", "test", "any")
    ]
    expected = [f"{v:.3f}" for v in (row["best_dice"], row["f1"], row["best_dice"] - row["f1"])]
    assert cells(threshold_table(results, "test"), "FLAIR")[:3] == expected


def test_seeds_are_averaged_before_patients_are_compared():
    rows = [
        {"patient": "a", "roc_auc": 0.5},
        {"patient": "a", "roc_auc": 0.7},
        {"patient": "b", "roc_auc": float("nan")},
        {"patient": "c", "roc_auc": 1.0},
    ]
    assert by_patient(rows, "roc_auc") == {"a": pytest.approx(0.6), "c": 1.0}


def test_the_interval_is_that_of_resampled_patients():
    """Against resampling by hand; the bounds of many resamples differ by little."""
    values = np.random.default_rng(1).beta(5, 2, size=13)
    rng = np.random.default_rng(7)
    means = values[rng.integers(13, size=(20_000, 13))].mean(axis=1)
    np.testing.assert_allclose(confidence_interval(values), np.percentile(means, [2.5, 97.5]), atol=0.005)
    assert confidence_interval(values) == confidence_interval(values)
    assert np.isnan(confidence_interval([0.5])).all()


def test_methods_are_compared_on_the_patients_both_have():
    rng = np.random.default_rng(2)
    ours = dict(zip("abcdefg", rng.normal(0.8, 0.1, 7), strict=True))
    theirs = dict(zip("bcdefgh", rng.normal(0.7, 0.1, 7), strict=True))
    found = paired_comparison(ours, theirs)
    differences = np.array([ours[p] - theirs[p] for p in "bcdefg"])
    t = differences.mean() / (differences.std(ddof=1) / np.sqrt(6))
    assert found["n_patients"] == 6 and found["difference"] == pytest.approx(differences.mean())
    assert found["p"] == pytest.approx(2 * stats.t.sf(abs(t), df=5))
    assert found["low"] < found["difference"] < found["high"]


def test_the_same_scores_have_no_p_value():
    scores = {"a": 0.5, "b": 0.7}
    assert np.isnan(paired_comparison(scores, scores)["p"])
    assert np.isnan(paired_comparison(scores, {"a": 0.1})["p"])


def test_tables_and_figures_are_written_for_every_fold(finished, tmp_path):
    study, folder = finished
    for path in folder.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    study = dataclasses.replace(study, title="Tiny brains")
    text = write_tables(study, tmp_path).read_text()
    assert text.startswith("# Tiny brains") and "AUC minus that of mixture" in text
    for title in ("validation fold", "test fold", "strokes"):
        assert f"## Trained on brains: {title}" in text
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


def test_lesion_sizes_are_means_over_seeds():
    ranges = ((201, 400, 2), (1, 200, 5))
    rows = [
        {
            "method": "m",
            "seed": seed,
            "smallest": low,
            "largest": high,
            "n_slices": n,
            "roc_auc": 0.5 + 0.1 * seed,
        }
        for seed in (0, 1)
        for low, high, n in ranges
    ]
    (report,) = size_reports(rows).values()
    assert [(row["smallest"], row["n_slices"]) for row in report] == [(1, 5), (201, 2)]
    np.testing.assert_allclose([row["roc_auc"] for row in report], 0.55)


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
