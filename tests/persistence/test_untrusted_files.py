"""A model file from a stranger: no code runs, and how it is run stays with the user."""

import copy
import json
import os
import pickle

import joblib
import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad import VolumeAnomalyDetector
from skad.cli import main
from skad.datasets import make_phantom
from skad.io import write_map
from skad.nn.unet import UNet
from skad.persistence import LoadError, load, save
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator
from skad.utils.pickling import _PackedModule

SHAPE = (20, 24, 8)
CONTRASTS = ("T1w", "FLAIR")


class Trap:
    """Leaves a file where it is unpickled."""

    def __reduce__(self):
        return os.system, (f"echo sprung > {os.environ['SKAD_TEST_TRAP']}",)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    volumes = make_phantom(n_subjects=2, shape=SHAPE, contrasts=CONTRASTS, random_state=0)
    for volume in volumes:
        for name, image in volume.contrasts.items():
            subject = f"sub-{volume.subject.removeprefix('sub-')}"
            write_map(image, volume, folder / subject / "anat" / f"{subject}_{name}.nii.gz")
    return folder, volumes


@pytest.fixture(scope="module")
def saved(cohort, tmp_path_factory):
    _, volumes = cohort
    translator = ContrastTranslator(width=2, n_blocks=0, max_epochs=1, random_state=0)
    detector = VolumeAnomalyDetector(translator, preprocessor=VolumePreprocessor(size=(24, 24)))
    path = tmp_path_factory.mktemp("model") / "translator.skad"
    save(detector.fit(volumes), path)
    return path


def rewrite(path, target, change):
    """Copy a model file with a changed header and changed tensors."""
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["skad"])
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
    change(header["root"], tensors)
    safetensors.torch.save_file(tensors, target, metadata={"skad": json.dumps(header)})
    return target


def crafted(path, target, kind):
    """A file whose network is a private class that keeps a pickle."""

    def change(root, tensors):
        pickled = pickle.dumps(Trap(), protocol=2)
        tensors["pickle"] = torch.frombuffer(bytearray(pickled), dtype=torch.uint8)
        content = {"kind": "array", "tensor": "pickle", "by_columns": False}
        packed = {
            "kind": kind,
            "number": 99,
            "class": "skad.utils.pickling._PackedModule",
            "state": {"content": content, "weights": content},
            "params": {},
            "config": {},
            "tensors": {},
            "training": False,
        }
        translator = {"kind": "estimator", "class": "skad.reconstruction.ContrastTranslator", "params": {}}
        root["state"]["pipeline_"]["state"]["module_"] = packed
        root["state"]["preprocessor_"]["params"]["n_jobs"] = 2  # sends the preprocessor to processes
        root["state"]["preprocessor_"]["state"]["hidden_"] = {
            **translator,
            "number": 98,
            "state": {"module_": packed},
        }

    return rewrite(path, target, change)


def run_score(path, cohort, *options):
    arguments = ["--out", str(path.parent / "maps"), "--no-figures", "--no-report", *options]
    if main(["score", str(path), str(cohort), *arguments]) != 0:
        raise LoadError("refused by the command line")


ROUTES = {
    "load": lambda path, cohort: load(path),
    "deepcopy": lambda path, cohort: copy.deepcopy(load(path)),
    "pickle": lambda path, cohort: pickle.loads(pickle.dumps(load(path))),
    "score --jobs 2": lambda path, cohort: run_score(path, cohort, "--jobs", "2"),
    "score with n_jobs in the file": lambda path, cohort: run_score(path, cohort),
}


@pytest.mark.parametrize("kind", ["object", "estimator", "module"])
@pytest.mark.parametrize("route", ROUTES)
def test_no_route_runs_a_pickle_inside_a_model_file(route, kind, saved, cohort, tmp_path, monkeypatch):
    monkeypatch.setenv("SKAD_TEST_TRAP", str(tmp_path / "sprung"))
    path = crafted(saved, tmp_path / "crafted.skad", kind)
    with pytest.raises(LoadError):
        ROUTES[route](path, cohort[0])
    assert not (tmp_path / "sprung").exists()


def test_the_trap_of_these_tests_springs(tmp_path, monkeypatch):
    monkeypatch.setenv("SKAD_TEST_TRAP", str(tmp_path / "sprung"))
    pickle.loads(pickle.dumps(Trap()))
    assert (tmp_path / "sprung").exists()


def test_the_file_that_these_tests_change_scores(saved, cohort, tmp_path):
    run_score(rewrite(saved, tmp_path / "x.skad", lambda root, tensors: None), cohort[0])


def test_packed_weights_are_never_unpickled(tmp_path, monkeypatch):
    monkeypatch.setenv("SKAD_TEST_TRAP", str(tmp_path / "sprung"))
    packed = _PackedModule(UNet(1, 1, width=2, depth=1), {"n_inputs": 1, "n_outputs": 1})
    packed.weights = pickle.dumps(Trap(), protocol=2)
    with pytest.raises(safetensors.SafetensorError):
        packed.unpack()
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "name",
    [
        "skad.utils.pickling._PackedModule",
        "skad.nn.translation._ResidualBlock",
        "skad.cli.main.ArgumentParser",
        "skad.training.fitting.NeuralNet",
        "skad.persistence.classes.Module",
        "skad.base.BaseEstimator",
        "skad.preparation.BrainExtract",
        "skad.load",
        "sklearn.pipeline.FeatureUnion",
    ],
)
def test_only_public_estimators_and_their_networks_are_built(name, saved, tmp_path):
    path = rewrite(saved, tmp_path / "x.skad", lambda root, _: root.update({"class": name}))
    with pytest.raises(LoadError, match=rf"{name}"):
        load(path)


def test_settings_of_the_run_in_a_file_are_ignored(saved, tmp_path):
    def change(root, tensors):
        root["params"]["verbose"] = 3
        root["state"]["preprocessor_"]["params"]["n_jobs"] = 2
        root["state"]["pipeline_"]["params"].update(device="cuda:7", verbose=True, callbacks=[1])

    loaded = load(rewrite(saved, tmp_path / "x.skad", change))
    assert loaded.verbose is False and loaded.preprocessor_.n_jobs is None
    translator = loaded.pipeline_
    assert (translator.device, translator.verbose, translator.callbacks) == ("auto", False, None)


def test_a_cache_named_in_a_file_is_not_opened(tmp_path):
    """A joblib cache holds pickles."""
    pipeline = make_pipeline(StandardScaler(), memory=joblib.Memory(tmp_path / "cache", verbose=0))
    save(pipeline.fit(np.eye(3)), tmp_path / "x.skad")

    def change(root, tensors):
        root["params"]["memory"] = str(tmp_path / "cache")

    assert load(rewrite(tmp_path / "x.skad", tmp_path / "y.skad", change)).memory is None


@pytest.mark.parametrize("name", ["verbose", "_parameter_constraints", "score_samples", "__class__"])
def test_a_file_replaces_no_setting_and_no_part_of_a_class(name, saved, tmp_path):
    def change(root, tensors):
        root["state"]["pipeline_"]["state"][name] = 2

    with pytest.raises(LoadError, match=f"would replace .*{name}"):
        load(rewrite(saved, tmp_path / "x.skad", change))


def test_a_tensor_is_handed_out_once(saved, tmp_path):
    def change(root, tensors):
        array = root["state"]["pipeline_"]["state"]["background_"]
        root["state"]["extra_"] = [array] * 1000

    with pytest.raises(LoadError):
        load(rewrite(saved, tmp_path / "x.skad", change))
