"""The papers' studies run from end to end on phantoms in the folders of their challenges, only smaller."""

import tomllib
from pathlib import Path

import nibabel
import numpy as np
import pytest

from skad.benchmark import parse_study, run, run_study, write_figures, write_tables
from skad.benchmark.layout import Layout
from skad.benchmark.results import read_results
from skad.benchmark.slices import CohortSlices
from skad.datasets import make_phantom
from skad.evaluation.scan import ANY

STUDIES = Path(__file__).parents[2] / "benchmarks" / "studies"
SHAPE = (16, 20, 9)
SMALL = {
    "ContrastTranslator": {"width": 2, "n_blocks": 1},
    "GMVAEReconstructor": {"channels": [2, 4], "n_restoration_steps": 1},
    "FAnoGANReconstructor": {"channels": [2, 4], "n_latents": 3, "n_critic": 1},
    "VAEReconstructor": {"channels": [2, 4], "latent_channels": 2},
    "IntroVAEReconstructor": {"channels": [2, 4], "latent_channels": 2},
    "LatentSearchTransformer": {"n_steps": 2},
    "DeepSVDDScorer": {"width": 2, "depth": 2, "n_features": 2},
    "DAGMMScorer": {"width": 2},
    "JointDRGMM": {"width": 2, "n_components": 2},
    "PatchEmbeddingScorer": {
        "channels": [2, 4],
        "patch_size": 8,
        "n_hidden": 4,
        "n_outputs": 2,
        "n_patches": 4,
    },
}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Steps run in the test: starting a process, which is tested elsewhere, takes longer than a step."""
    monkeypatch.setattr(run, "in_own_process", lambda step, *arguments, **_: (step(*arguments), 0.1))


def small(name, *, slices, folds):
    """The study of a file with its own methods and protocol, each network tiny and trained for an epoch."""
    table = tomllib.loads((STUDIES / f"{name}.toml").read_text())
    for part in [*table["references"].values(), *table["methods"].values()]:
        part |= SMALL.get(part["class"], {}) | {"seeds": [0]}
        for key in ("max_epochs", "batch_size"):
            part.pop(key, None)
    table |= {"seeds": [0], "min_seeds": 1, "lesion_size_step": 10}
    table["budget"] = table.get("budget", {}) | {"max_epochs": 1, "batch_size": 8}
    table["preprocessing"]["size"] = [24, 20]
    if "protocol" in table:
        table["protocol"]["slices_per_patient"] = slices
    table["cohort"]["folds"] = folds
    return table


def save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(image.astype(np.float32), np.eye(4)), path)


def write_brats(folder):
    names = {"FLAIR": "flair", "T2w": "t2", "T1w": "t1", "ce-gadolinium_T1w": "t1ce"}
    volumes = make_phantom(3, shape=SHAPE, contrasts=list(names), lesion="glioma", random_state=0)
    for number, volume in enumerate(volumes):
        case = folder / "MICCAI_BraTS_2019_Data_Training" / "HGG" / f"BraTS19_X{number}_1"
        for contrast, kind in names.items():
            save(volume.contrasts[contrast], case / f"{case.name}_{kind}.nii.gz")
        save(volume.labels, case / f"{case.name}_seg.nii.gz")


def write_isles(folder):
    names = {"dwi": "MR_DWI", "T1w": "MR_T1", "FLAIR": "MR_Flair", "T2w": "MR_T2"}
    volumes = make_phantom(3, shape=SHAPE, contrasts=list(names), lesion="stroke", random_state=2)
    for number, volume in enumerate(volumes):
        case = folder / "SISS2015_Training" / str(number + 1)
        images = {kind: volume.contrasts[name] for name, kind in names.items()} | {"OT": volume.labels > 0}
        for i, (kind, image) in enumerate(images.items()):
            name = f"VSD.Brain.XX.O.{kind}.{100 * number + i}"
            save(image, case / name / f"{name}.nii")


@pytest.mark.parametrize(
    "name, write, views", [("brats2019", write_brats, (1, 3)), ("isles2015", write_isles, (7, 12))]
)
def test_the_experiment_of_kim_runs_in_the_folder_of_its_challenge(tmp_path, name, write, views):
    write(tmp_path)
    table = small(name, slices=4, folds={"train": 2, "test": 1, "seed": 0})
    study = parse_study(table, name=name, data=tmp_path)
    assert run_study(study, tmp_path / "out", tell=lambda line: None) == {}
    slices = CohortSlices(Layout(study, tmp_path / "out").cohort_folder(name))
    assert slices.X("test").shape[:2] == (4 * views[1], 4)
    normal, sick = len(slices.X("train")), len(slices.X("validation")) // views[0]
    assert normal + sick == 2 * 4 and slices.y("validation").any(axis=(1, 2))[:sick].all()
    results = read_results(tmp_path / "out")
    pooled = [row for row in results["pooled"] if row["label"] == ANY]
    judged = {(row["method"], row["fold"]) for row in pooled if not np.isnan(row["roc_auc"])}
    assert judged == {(method, fold) for method in study.methods for fold in ("test", "validation")}
    chosen = {row["method"]: row["score"] for row in results["tuning"] if row["chosen"]}
    assert set(chosen) == set(study.methods) - {"ADM_dr, penalty", "ADM_dr, no floor"}
    assert not np.isnan(list(chosen.values())).any()
    assert "Search: 2 configurations" in write_tables(study, tmp_path / "out").read_text()
    names = {path.name for path in write_figures(study, tmp_path / "out")}  # Figs. 7 and 8
    assert {f"lesion_sizes_{name}_test.png", f"singularity_{name}.png"} <= names


def write_heads(folder):
    volumes = make_phantom(
        3,
        shape=(20, 24, 9),
        contrasts=["ce-gadolinium_T1w"],
        skull=True,
        lesion=["metastasis", "cavity"],
        random_state=2,
    )
    for number, volume in enumerate(volumes):
        name = f"sub-{number}"
        anat = folder / "kobayashi" / name / "anat"
        save(volume.contrasts["ce-gadolinium_T1w"], anat / f"{name}_ce-gadolinium_T1w.nii.gz")
        save(volume.labels, anat / f"{name}_label-lesion_mask.nii.gz")


def test_table_1_of_kobayashi_for_a_cohort_in_bids(tmp_path):
    write_heads(tmp_path)
    table = small("kobayashi", slices=None, folds={"train": 2, "test": 1, "seed": 0})
    table["fidelity"] = {"n_tissues": 3, "segmenter": {"width": 2, "depth": 2}}
    del table["preprocessing"]["voxel_size"]
    methods = ("intensity", "VAE, residual", "IntroVAE + search")
    table["methods"] = {key: table["methods"][key] for key in methods}
    table |= {"pictures": 2, "drawn": ["intensity"]}  # networks trained for an epoch may have collapsed
    study = parse_study(table, name="heads", data=tmp_path)
    assert run_study(study, tmp_path / "out", tell=lambda line: None) == {}
    results = read_results(tmp_path / "out")
    rows = {(r["method"], r["label"]): r for r in results["classwise"]}
    classes = {label for _, label in rows}
    assert "any" in classes and len(classes) >= 2
    assert 0 <= rows["IntroVAE + search", "any"]["specificity"] <= 1
    assert {r["method"] for r in results["fidelity"]} == {"vae", "introvae", "search"}
    assert all(0 <= r["overlap"] <= 1 for r in results["fidelity"])
    text = write_tables(study, tmp_path / "out").read_text()
    assert "Youden's J" in text and "overlap score" in text
    names = {path.name for path in write_figures(study, tmp_path / "out")}
    assert "roc_heads_test.png" in names
    figures = tmp_path / "out" / "figures"
    assert (figures / "maps_heads.png").stat().st_size and (figures / "references_heads.png").stat().st_size
