"""``skad report``: one file of the maps, their tables and what is doubtful about them."""

import csv
import json
import re
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from skad.cli import main
from skad.io.nifti import NiftiFile


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


def test_links_go_to_the_peaks_of_lesions(run, maps, cohort, tmp_path):
    assert run("report", maps, "--scans", cohort, "--out", tmp_path / "report.html")[0] == 0
    html = (tmp_path / "report.html").read_text()
    section = html.partition('id="about-sub-02"')[2].partition("</section>")[0]
    places = re.findall(r'data-mm="(\S+) (\S+) (\S+)">go to \d', section)
    image = nibabel.load(maps / "sub-02/anat/sub-02_desc-anomaly_map.nii.gz")
    with open(maps / "sub-02/lesions.csv", newline="") as file:
        peaks = [float(row["peak_score"]) for row in csv.DictReader(file)]
    assert len(places) == len(peaks) > 0
    for place, peak in zip(places, peaks, strict=True):
        index = np.linalg.solve(image.affine, [*map(float, place), 1])[:3].round().astype(int)
        assert image.dataobj[tuple(index)] == np.float32(peak)


def test_labels_that_cannot_be_read_cost_no_page(run, maps, cohort, tmp_path):
    scans = shutil.copytree(cohort, tmp_path / "scans")
    path = scans / "sub-01/anat/sub-01_label-lesion_mask.nii.gz"
    path.write_bytes(path.read_bytes()[:-20])
    assert run("report", maps, "--scans", scans, "--out", tmp_path / "report.html")[0] == 0
    html = (tmp_path / "report.html").read_text()
    assert 'href="#sub-01"' in html and "labels: " in html and "is damaged" in html


def test_nothing_above_the_threshold_is_said(run, maps, tmp_path):
    assert run("report", maps, "--out", tmp_path / "report.html", "--threshold", 1e9)[0] == 0
    assert (tmp_path / "report.html").read_text().count("No voxel lies above the threshold") == 3


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


def test_mistakes_are_one_line(run, maps, tmp_path):
    for arguments, message in (
        ((tmp_path, "--out", tmp_path / "r.html"), "give a folder of `skad score`"),
        ((maps, "--out", tmp_path / "r.pdf"), "should end in .html"),
    ):
        code, _, err = run("report", *arguments)
        assert code == 2 and len(err) == 1 and message in err[0]
    assert list(tmp_path.iterdir()) == []


def test_score_and_evaluate_leave_a_report(run, cohort, detector, tmp_path):
    maps = tmp_path / "maps"
    path = maps / "report.html"
    arguments = ["score", detector, cohort, "--out", maps, "--no-figures", "--resume"]
    code, _, err = run(*arguments, "--no-report")
    assert (code, err, path.exists()) == (0, [], False)
    code, out, err = run(*arguments)
    assert (code, err) == (0, []) and f"{path}: 3 subjects" in out
    html = path.read_text()
    assert all(f'href="#sub-0{i}"' in html for i in (1, 2, 3))
    assert "Precision and recall" in html and "Against the labels" not in html  # not evaluated yet
    assert run("evaluate", maps, cohort, "--no-report")[0] == 0
    assert path.read_text() == html
    code, out, err = run("evaluate", maps, cohort)
    assert (code, err) == (0, []) and f"{path}: 3 subjects" in out
    assert "Against the labels, per class" in path.read_text()
    assert run(*arguments)[0] == 0
    assert "Against the labels" not in path.read_text()  # they may be of an earlier scoring


def test_the_report_of_some_participants_shows_no_others(run, maps, cohort, tmp_path):
    copy = shutil.copytree(maps, tmp_path / "maps")
    some = tmp_path / "some"
    shutil.copytree(cohort / "sub-02", some / "sub-02")
    assert run("evaluate", copy, some)[0] == 0
    html = (copy / "report.html").read_text()
    assert 'href="#sub-02"' in html and 'href="#sub-01"' not in html


def test_a_scoring_without_calibration_forgets_the_drift_of_another(run, cohort, detector, tmp_path):
    (tmp_path / "drift.csv").write_text("map,p_value\nall,0.001\n")
    assert run("score", detector, cohort, "--out", tmp_path, "--no-figures")[0] == 0
    assert "Drift" not in (tmp_path / "report.html").read_text()


@pytest.fixture
def reads(monkeypatch):
    """Names of the files whose voxels, or JSON, are read."""
    names = []
    load, read_text = NiftiFile.load, Path.read_text
    monkeypatch.setattr(NiftiFile, "load", lambda self: names.append(self.path.name) or load(self))
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda self, *args, **kwargs: names.append(self.name) or read_text(self, *args, **kwargs),
    )
    return names


def test_scoring_reads_each_scan_once_and_no_map(run, cohort, detector, tmp_path, reads):
    assert run("score", detector, cohort, "--out", tmp_path)[0] == 0
    scans = [path.name for path in cohort.rglob("*.nii.gz")]
    assert sorted(name for name in reads if ".nii" in name) == sorted(scans)
    assert not [name for name in reads if name.endswith("_map.json")]


def test_a_report_reads_each_scan_map_and_sidecar_once(run, cohort, maps, tmp_path, reads):
    assert run("report", maps, "--scans", cohort, "--out", tmp_path / "report.html")[0] == 0
    files = [path.name for folder in (cohort, maps) for path in folder.rglob("sub-*_*.*")]
    wanted = [name for name in files if name.endswith((".nii.gz", "_map.json")) and "_dseg" not in name]
    assert sorted(name for name in reads if name.startswith("sub-")) == sorted(wanted)


def test_an_evaluation_with_its_report_reads_each_scan_and_sidecar_once(run, cohort, maps, tmp_path, reads):
    copy = shutil.copytree(maps, tmp_path / "maps")
    assert run("evaluate", copy, cohort)[0] == 0
    wanted = [path.name for path in cohort.rglob("*.nii.gz")]
    wanted += [path.name for path in maps.rglob("*_map.json")]
    assert sorted(name for name in reads if name.startswith("sub-") and "_map.nii" not in name) == sorted(
        wanted
    )


def test_saved_references_are_contrasts_of_the_viewer(run, cohort, detector, tmp_path):
    assert run("score", detector, cohort, "--out", tmp_path, "--no-figures", "--save-reference")[0] == 0
    names = {path.name for path in tmp_path.rglob("*desc-reference*.nii.gz")}
    assert "sub-01_desc-reference_T1w.nii.gz" in names
    assert "normal reference of T1w" in (tmp_path / "report.html").read_text()
    assert run("report", tmp_path, "--scans", cohort, "--out", tmp_path / "again.html")[0] == 0
    assert "normal reference of T1w" in (tmp_path / "again.html").read_text()
    assert run("score", detector, cohort, "--out", tmp_path, "--no-figures", "--resume")[0] == 0


def test_references_are_shown_from_memory_not_from_their_files(run, cohort, detector, tmp_path, reads):
    assert run("score", detector, cohort, "--out", tmp_path, "--no-figures", "--save-reference")[0] == 0
    assert not [name for name in reads if "desc-reference" in name]
