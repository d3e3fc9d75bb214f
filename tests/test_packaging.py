"""The recipes of other package managers say what pyproject.toml says."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from skad.version import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPE = (ROOT / "packaging" / "conda" / "meta.yaml").read_text()
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def test_the_conda_recipe_asks_for_the_same_packages():
    wanted = set()
    for requirement in PROJECT["dependencies"]:
        name, bounds = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
        wanted.add(f"{CONDA_NAMES.get(name, name)} {bounds}")
    run = RECIPE.partition("  run:\n")[2].partition("\n\n")[0]
    listed = {line.strip().removeprefix("- ") for line in run.splitlines()} - {"python >=3.11"}
    assert listed == wanted


def test_the_conda_recipe_has_the_same_license():
    assert f"license: {PROJECT['license']}\n" in RECIPE


@pytest.mark.parametrize("name", ["CITATION.cff", "codemeta.json", "packaging/conda/meta.yaml"])
def test_the_version_is_the_same_everywhere(name):
    text = (ROOT / name).read_text()
    (version,) = re.findall(r'^\s*"?version"?: "?([0-9][^"\s]*)"?,?$', text, flags=re.M)
    assert version == __version__


def test_codemeta_is_json():
    assert json.loads((ROOT / "codemeta.json").read_text())["name"] == PROJECT["name"]


@pytest.mark.parametrize("name", ["Dockerfile", "apptainer.def", "replay.sh"])
def test_every_recipe_installs_the_same_files_in_the_same_way(name):
    text = (ROOT / "packaging" / name).read_text()
    for file in ("pyproject.toml", "setup.cfg", "constraints.txt", "README.md", "LICENSE", "skad"):
        assert re.search(rf"\b{re.escape(file)}\b", text)
        assert (ROOT / file).exists()
    assert '--constraint constraints.txt ".[prepare]"' in text
