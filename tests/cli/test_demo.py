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


def test_the_demo_leaves_scans_detectors_maps_tables_and_pictures(demo):
    assert sorted(path.name for path in demo.iterdir()) == [
        "adm.skad",
        "figures",
        "introvae.skad",
        "maps",
        "normal",
        "patients",
        "table.csv",
    ]
    assert len(list((demo / "figures").glob("sub-*.png"))) == 2
    for method in ("adm", "introvae"):
        maps = demo / "maps" / method
        for pattern in ("sub-*/anat/*_map.nii.gz", "sub-*/anat/*_map.json", "sub-*/figures/*.png"):
            assert len(list(maps.glob(pattern))) == 2
        assert {"scores.csv", "evaluation.csv", "lesion_sizes.csv", "roc.png", "report.html"} <= {
            p.name for p in maps.iterdir()
        }


def test_the_table_of_the_demo_has_both_systems_side_by_side(demo):
    with open(demo / "table.csv", newline="") as file:
        scores = {(r["method"], r["subject"], r["label"]): float(r["roc_auc"]) for r in csv.DictReader(file)}
    assert scores["adm", "pooled", "any"] > 0.8  # 0.5 is chance
    assert 0 < scores["introvae", "pooled", "any"] < 1


def test_the_demo_does_not_overwrite_by_accident(demo, run):
    code, _, err = run("demo", "--out", demo, "--size", "tiny")
    assert code == 2
    assert err == [f"skad demo: {demo} is not empty: choose another --out, or add --overwrite."]
