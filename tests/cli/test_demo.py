"""The whole way on simulated brains."""

import csv

import pytest

from skad.cli import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of a tiny demonstration."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    assert main(["demo", "--out", str(out), "--size", "tiny"]) == 0
    return out


def test_the_demo_leaves_scans_detector_maps_tables_and_pictures(demo):
    assert sorted(path.name for path in demo.iterdir()) == ["adm.skad", "maps", "normal", "patients"]
    for pattern in ("sub-*/anat/*_map.nii.gz", "sub-*/anat/*_map.json", "sub-*/figures/*.png"):
        assert len(list((demo / "maps").glob(pattern))) == 2
    assert {"scores.csv", "evaluation.csv", "lesion_sizes.csv", "roc.png"} <= {
        p.name for p in (demo / "maps").iterdir()
    }


def test_the_demo_finds_the_simulated_gliomas(demo):
    with open(demo / "maps" / "evaluation.csv", newline="") as file:
        scores = {(row["subject"], row["label"]): float(row["roc_auc"]) for row in csv.DictReader(file)}
    assert scores["pooled", "any"] > 0.8  # 0.5 is chance


def test_the_demo_does_not_overwrite_by_accident(demo, run):
    code, _, err = run("demo", "--out", demo, "--size", "tiny")
    assert code == 2
    assert err == [f"skad demo: {demo} is not empty: choose another --out, or add --overwrite."]
