"""``skad report``: one file of the maps, their tables and what is doubtful about them."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from skad.cli import doubts, main


@pytest.fixture(scope="module")
def maps(cohort, detector, tmp_path_factory):
    """Maps of the cohort, evaluated; not to be changed."""
    folder = tmp_path_factory.mktemp("maps") / "maps"
    assert main(["score", str(detector), str(cohort), "--out", str(folder), "--no-figures"]) == 0
    assert main(["evaluate", str(folder), str(cohort)]) == 0
    return folder


def rewrite(maps, subject, change):
    path = next(maps.glob(f"sub-{subject}/anat/*_map.json"))
    sidecar = json.loads(path.read_text())
    change(sidecar)
    path.write_text(json.dumps(sidecar))


def test_all_subjects_tables_and_curves_are_there(run, maps, cohort, tmp_path):
    code, out, err = run("report", maps, "--scans", cohort, "--out", tmp_path / "report.html")
    assert (code, err) == (0, []) and "3 subjects" in out
    html = (tmp_path / "report.html").read_text()
    assert all(f'href="#sub-0{i}"' in html for i in (1, 2, 3))
    assert "Against the labels, per class" in html and "Precision and recall" in html
    assert str(cohort.parent) not in html  # a report travels: no paths of this machine


def test_without_scans_the_maps_alone_are_shown(run, maps, tmp_path):
    assert run("report", maps, "--out", tmp_path / "report.html", "--viewers", 1)[0] == 0
    html = (tmp_path / "report.html").read_text()
    assert html.count('class="subject" data-name') == 1
    assert "anomaly map" in html and "roc" in html.lower()


def test_what_is_doubtful_is_told(run, maps, tmp_path):
    copy = shutil.copytree(maps, tmp_path / "maps")
    rewrite(copy, "01", lambda sidecar: sidecar.update(MissingContrasts=["FLAIR"]))
    rewrite(copy, "02", lambda sidecar: sidecar["Summary"].update(n_voxels=10))
    rewrite(copy, "03", lambda sidecar: sidecar["Summary"].update(maximum=1.0, percentile_50=1.0))
    assert run("report", copy, "--out", tmp_path / "report.html")[0] == 0
    html = (tmp_path / "report.html").read_text()
    for text in ("missing contrast: FLAIR", "background: 0.0 times", "collapse: all scores"):
        assert text in html


def test_the_threshold_can_be_asked_for(run, maps, tmp_path):
    assert run("report", maps, "--out", tmp_path / "report.html", "--threshold", "1e9")[0] == 0
    html = (tmp_path / "report.html").read_text()
    assert "a score of 1e+09, as asked for" in html
    assert html.count('<td class="number">0</td>') >= 3  # volume above it


def test_mistakes_are_one_line(run, maps, detector, tmp_path):
    for arguments, message in (
        ((tmp_path, "--out", tmp_path / "r.html"), "give a folder of `skad score`"),
        ((maps, "--out", tmp_path / "r.pdf"), "should end in .html"),
        ((maps, "--out", tmp_path / "r.html", "--detector", detector), "is not calibrated"),
    ):
        code, _, err = run("report", *arguments)
        assert code == 2 and len(err) == 1 and message in err[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("shift", "drifts"), [(0, False), (9, True)])
def test_drift_is_told_of_the_cohort_and_of_its_subjects(monkeypatch, shift, drifts):
    quantiles = np.random.default_rng(0).normal(size=(45, 5))
    calibrator = SimpleNamespace(summaries_=quantiles[:40])
    monkeypatch.setattr(doubts, "load_detector", lambda path, device: (None, calibrator))
    monkeypatch.setattr(doubts, "digest", lambda path: "same")
    new = {f"map{i}": (row + shift).tolist() for i, row in enumerate(quantiles[40:])}
    sidecars = {name: {"ScoreQuantiles": row, "Model": {"SHA256": "same"}} for name, row in new.items()}
    warnings = {name: [] for name in new}
    assert bool(doubts.warn_of_drift("adm.skad", sidecars, warnings)) == drifts
    assert all(bool(each) == drifts for each in warnings.values())
    sidecars["map0"]["Model"]["SHA256"] = "other"
    with pytest.raises(ValueError, match="not the file these maps were made with"):
        doubts.warn_of_drift("adm.skad", sidecars, warnings)
