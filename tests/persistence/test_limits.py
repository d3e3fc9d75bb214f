"""What a model file claims is bounded before it is built."""

import json
import resource

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture

from skad.persistence import LoadError, load, save
from skad.persistence.classes import RefusedError
from skad.persistence.limits import HEADER_BYTES, at_most_parts
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator


class Holder(BaseEstimator):
    def __init__(self, value=None):
        self.value = value


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    X = np.random.default_rng(0).normal(size=(3, 2, 7, 8))
    path = tmp_path_factory.mktemp("model") / "translator.skad"
    save(ContrastTranslator(width=2, n_blocks=1, max_epochs=1, random_state=0).fit(X), path)
    return path


def changed(path, target, change):
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["skad"])
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
    change(header["root"], tensors)
    safetensors.torch.save_file(tensors, target, metadata={"skad": json.dumps(header)})
    return target


def holding(node, tmp_path):
    """A file of a Holder whose value is a node of the header."""
    save(Holder(), tmp_path / "x")
    return changed(tmp_path / "x", tmp_path / "y", lambda root, _: root["params"].update(value=node))


def module_of(root):
    return root["state"]["module_"]


@pytest.mark.parametrize(
    ("argument", "value"),
    [("n_blocks", 10**8), ("n_blocks", 16_000), ("width", -1), ("width", 10**9), ("width", 1e300)],
)
def test_a_network_larger_than_its_file_is_never_built(argument, value, translator, tmp_path):
    path = changed(
        translator, tmp_path / "x", lambda root, _: module_of(root)["config"].update({argument: value})
    )
    before = resource.getrusage(resource.RUSAGE_SELF)
    with pytest.raises(LoadError):
        load(path)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 2
    assert (after.ru_maxrss - before.ru_maxrss) / 1024 < 500


@pytest.mark.parametrize("change", [{"batch_size": -1}, {"max_epochs": 0}, {"lr": "fast"}, {"width": 0.5}])
def test_parameters_outside_their_domain_are_refused(change, translator, tmp_path):
    path = changed(translator, tmp_path / "x", lambda root, _: root["params"].update(change))
    with pytest.raises(LoadError, match=f"'{next(iter(change))}' parameter"):
        load(path)


@pytest.mark.parametrize("size", [[10**6, 10**6], [0, 5], [5], "ab"])
def test_slices_of_an_impossible_size_are_refused(size, tmp_path):
    save(VolumePreprocessor(), tmp_path / "x")
    path = changed(tmp_path / "x", tmp_path / "y", lambda root, _: root["params"].update(size=size))
    with pytest.raises(LoadError, match="size"):
        load(path)


def test_weights_of_another_type_or_shape_are_refused(translator, tmp_path):
    def double(root, tensors):
        name = next(iter(module_of(root)["tensors"].values()))
        tensors[name] = tensors[name].double()

    with pytest.raises(LoadError, match=r"should be torch\.float32"):
        load(changed(translator, tmp_path / "x", double))

    def longer(root, tensors):
        name = next(iter(module_of(root)["tensors"].values()))
        tensors[name] = torch.ones(70_000)

    with pytest.raises(LoadError, match="size mismatch"):
        load(changed(translator, tmp_path / "x", longer))


def test_weights_that_are_not_finite_are_refused(translator, tmp_path):
    def spoil(root, tensors):
        tensors[next(iter(module_of(root)["tensors"].values()))].fill_(np.nan)

    with pytest.raises(LoadError, match="not finite"):
        load(changed(translator, tmp_path / "x", spoil))


@pytest.mark.parametrize(
    "change",
    [{"pos": 625}, {"pos": -1}, {"pos": 10**9}, {"has_gauss": 7}, {"gauss": "a"}, {"bit_generator": "PCG64"}],
)
def test_a_generator_in_a_state_that_does_not_exist_is_refused(change, tmp_path):
    """numpy reads beyond the key and ends the process."""
    save(GaussianMixture(random_state=np.random.RandomState(0)), tmp_path / "x")

    def move(root, tensors):
        items = root["params"]["random_state"]["state"]["items"]
        for key, value in change.items():
            for holder in [items, next(pair[1] for pair in items if pair[0] == "state")["items"]]:
                for pair in holder:
                    pair[1] = value if pair[0] == key else pair[1]

    with pytest.raises(LoadError, match="state that does not exist"):
        load(changed(tmp_path / "x", tmp_path / "y", move))


@pytest.mark.parametrize(
    "node",
    [
        {"kind": "objects", "dtype": "<U99999999", "shape": [1], "values": ["a"]},
        {"kind": "objects", "dtype": "i4,i4", "shape": [1], "values": ["a"]},
        {"kind": "objects", "dtype": "O", "shape": [10**9], "values": ["a"]},
        {"kind": "scalar", "dtype": "i1", "value": 300},
        {"kind": "scalar", "dtype": "V8", "value": 0},
        {"kind": "object", "class": "skad.io.Volume", "number": 1, "state": {}},
        {"kind": "path", "value": "/etc/passwd"},
        {"kind": "tensor", "tensor": "nowhere"},
        {"kind": "dict", "items": [[[], 1]]},
        [0] * 200_000,
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(node, tmp_path):
    with pytest.raises(LoadError):
        load(holding(node, tmp_path), trusted=[Holder])


def test_deep_nesting_is_refused(tmp_path):
    node = 0
    for _ in range(100):
        node = [node]
    with pytest.raises(LoadError, match="deeper than"):
        load(holding(node, tmp_path), trusted=[Holder])


def test_a_header_of_unlikely_length_is_not_read(tmp_path):
    (tmp_path / "x").write_bytes((HEADER_BYTES + 1).to_bytes(8, "little") + b"{")
    with pytest.raises(LoadError, match="claims a header of more than"):
        load(tmp_path / "x")


def test_a_file_holds_an_estimator(tmp_path):
    save(Holder(), tmp_path / "x")
    path = tmp_path / "y"
    with safetensors.safe_open(tmp_path / "x", framework="pt") as file:
        header = json.loads(file.metadata()["skad"])
    safetensors.torch.save_file({}, path, metadata={"skad": json.dumps(header | {"root": [1]})})
    with pytest.raises(LoadError, match="holds a list, which is not an estimator"):
        load(path)


def test_counting_parts_stops_only_what_is_larger():
    with at_most_parts(2, "small"):
        torch.nn.Sequential(torch.nn.Linear(1, 1))
    with pytest.raises(RefusedError, match="of more than"), at_most_parts(0, "large"):
        torch.nn.Sequential(*(torch.nn.Linear(1, 1) for _ in range(100)))
    torch.nn.Sequential(*(torch.nn.Linear(1, 1) for _ in range(100)))  # no hook is left behind
