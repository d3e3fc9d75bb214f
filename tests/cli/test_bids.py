"""The folder of maps is a BIDS derivative: by the rules of its names, and by its validators where installed.

``bids-validator-deno`` (PyPI) reads derivatives; ``bids-validator`` (npm, 1.x) reads the scans and leaves
``derivatives/`` aside.
"""

import fnmatch
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skad.cli import main
from skad.derivatives.bids import describe_derivative, source_uri
from skad.derivatives.naming import map_path
from skad.io import Volume

# (BIDS 1.11, rules/files/deriv/imaging) names an anatomical derivative may have, of those that skad writes
MASK = re.compile(
    r"(sub-[0-9a-zA-Z]+)/(ses-[0-9a-zA-Z]+/)?anat/\1_(ses-[0-9a-zA-Z]+_)?(desc-[0-9a-zA-Z]+_)?(mask|dseg)\.(nii\.gz|json)"
)
TOP = {"dataset_description.json", "README.md", ".bidsignore"}


@pytest.fixture(scope="module")
def study(detector, tmp_path_factory, brain, write_subject):
    """Scans of two subjects; in ``derivatives/skad`` the maps and lesion masks of a calibrated detector."""
    folder = tmp_path_factory.mktemp("study")
    description = {"Name": "noise", "BIDSVersion": "1.11.1", "DatasetType": "raw"}
    (folder / "dataset_description.json").write_text(json.dumps(description))
    (folder / "README").write_text("Noise.\n" * 10)
    for seed in (1, 2):
        anat = write_subject(folder, brain(seed))
        (anat / f"sub-{seed:02d}_label-lesion_mask.nii.gz").unlink()
    others = tmp_path_factory.mktemp("others")
    for seed in (41, 42):
        anat = write_subject(others, brain(seed))
        (anat / f"sub-{seed:02d}_label-lesion_mask.nii.gz").unlink()
    calibrated = tmp_path_factory.mktemp("calibrated") / "calibrated.skad"
    skad("calibrate", detector, others, "--out", calibrated, "--fpr", 0.5)
    skad("score", calibrated, folder, "--out", folder / "derivatives" / "skad")
    return folder


def skad(*arguments):
    assert main([str(argument) for argument in arguments]) == 0


def files_of(folder):
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def test_every_file_has_a_bids_name_or_is_listed_as_having_none(study):
    maps = study / "derivatives" / "skad"
    ignored = (maps / ".bidsignore").read_text().split()
    named = {name for name in files_of(maps) if MASK.fullmatch(name)}
    assert {path.rpartition("/")[2] for path in named} >= {
        "sub-01_desc-lesions_mask.nii.gz",
        "sub-01_desc-lesions_mask.json",
    }
    for name in set(files_of(maps)) - named - TOP:
        assert any(fnmatch.fnmatch(name, pattern) for pattern in ignored), name
    assert not any(fnmatch.fnmatch(name, pattern) for name in named | TOP for pattern in ignored)


@pytest.mark.parametrize("session", ["", "ses-2", "2", "week 3"])
def test_a_map_is_named_by_entities_in_bids_order(session):
    volume = Volume({"T1w": np.ones((2, 3, 4))}, np.eye(4), subject="case_7-b", info={"session": session})
    path = map_path("", volume)
    *entities, suffix = path.name.removesuffix(".nii.gz").split("_")
    keys, values = zip(*(entity.split("-") for entity in entities), strict=True)
    assert keys == (("sub", "ses", "desc") if session else ("sub", "desc"))
    assert suffix == "map" and values[0] == "case7b" and values[-1] == "anomaly"
    assert all(re.fullmatch("[0-9a-zA-Z]+", value) for value in values)
    assert path.parts[:-1] == (*entities[:-1], "anat")


def test_the_description_has_what_bids_requires_of_a_derivative(study):
    description = json.loads((study / "derivatives/skad/dataset_description.json").read_text())
    assert (description["DatasetType"], description["DatasetLinks"]) == ("derivative", {"scans": "../.."})
    (software,) = description["GeneratedBy"]
    assert software.keys() == {"Name", "Version", "CodeURL"} and software["Name"] == "skad"


def test_sources_lead_from_a_map_to_its_scans_and_from_a_mask_to_its_map(study):
    maps = study / "derivatives" / "skad"
    links = json.loads((maps / "dataset_description.json").read_text())["DatasetLinks"] | {"": "."}
    for sidecar, n_sources in (("anomaly_map", 2), ("lesions_mask", 1)):
        sources = json.loads((maps / f"sub-02/anat/sub-02_desc-{sidecar}.json").read_text())["Sources"]
        assert len(sources) == n_sources
        for source in sources:
            scheme, dataset, path = source.split(":")
            assert scheme == "bids" and (maps / links[dataset] / path).is_file()


def test_sidecars_tell_sign_units_version_and_the_hash_of_the_model(study):
    anat = study / "derivatives/skad/sub-01/anat"
    sidecar = json.loads((anat / "sub-01_desc-anomaly_map.json").read_text())
    assert (sidecar["Sign"], sidecar["Units"]) == ("high is abnormal", "arbitrary")
    assert re.fullmatch("[0-9a-f]{64}", sidecar["Model"]["SHA256"]) and sidecar["GeneratedBy"][0]["Version"]
    mask = json.loads((anat / "sub-01_desc-lesions_mask.json").read_text())
    assert (mask["Type"], mask["FalsePositiveRate"]) == ("Lesion", 0.5)


def test_a_readme_and_a_bidsignore_of_the_user_stay(tmp_path):
    for name in ("README", ".bidsignore"):
        (tmp_path / name).write_text("mine\n")
    describe_derivative(tmp_path, tmp_path)
    assert sorted(files_of(tmp_path)) == [".bidsignore", "README", "dataset_description.json"]
    assert (tmp_path / ".bidsignore").read_text() == "mine\n"


def test_a_source_outside_the_folder_of_scans_is_still_a_relative_path(tmp_path):
    assert source_uri(tmp_path / "b" / "x.nii", tmp_path / "a") == "bids:scans:../b/x.nii"


def validate(name, folder):
    """What a validator holds against a folder; skips where it is not installed."""
    command = shutil.which(name) or shutil.which(name, path=Path(sys.executable).parent)
    if command is None:
        pytest.skip(f"no {name} on this machine")
    run = subprocess.run(
        [command, str(folder), "--ignoreWarnings"], capture_output=True, text=True, timeout=120
    )
    return "" if run.returncode == 0 else run.stdout + run.stderr


def test_the_validator_of_derivatives_accepts_the_maps(study):
    assert validate("bids-validator-deno", study / "derivatives" / "skad") == ""


@pytest.mark.parametrize("name", ["bids-validator-deno", "bids-validator"])
def test_validators_accept_the_scans_with_the_maps_among_them(name, study):
    assert validate(name, study) == ""


def test_the_validator_of_derivatives_would_see_a_wrong_name(study, tmp_path):
    shutil.copytree(study / "derivatives" / "skad", tmp_path / "maps")
    anat = tmp_path / "maps/sub-01/anat"
    (anat / "sub-01_desc-lesions_mask.nii.gz").rename(anat / "sub-01_desc-lesions_masks.nii.gz")
    assert "NOT_INCLUDED" in validate("bids-validator-deno", tmp_path / "maps")
