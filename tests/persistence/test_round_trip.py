"""Estimators in one file without pickle."""

import json
import os
import pickle

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skad.base import takes_pairs
from skad.persistence import LoadError, load, save
from skad.reconstruction import ContrastTranslator
from skad.utils.estimator_checks.data import IMAGE_SIZE, as_pairs, make_check_images
from skad.utils.files import written_whole
from tests.estimators import ESTIMATORS, IMAGE_SIZES


class Holder(BaseEstimator):
    def __init__(self, value=None):
        self.value = value


class Net(torch.nn.Module):
    def __init__(self, width, *, depth=2):
        super().__init__()
        self.width = width
        self.depth = depth
        self.layers = torch.nn.Sequential(*[torch.nn.Linear(width, width) for _ in range(depth)])
        self.norm = torch.nn.BatchNorm1d(width)


def round_trip(estimator, folder, trusted=(Holder, Net)):
    save(estimator, folder / "estimator.skad")
    return load(folder / "estimator.skad", trusted=trusted)


def rewrite_header(path, change):
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["skad"])
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
    change(header)
    safetensors.torch.save_file(tensors, path, metadata={"skad": json.dumps(header)})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(value=values)
def test_plain_values_come_back_equal_and_of_the_same_type(value, tmp_path_factory):
    loaded = round_trip(Holder(value), tmp_path_factory.mktemp("x")).value
    assert repr(loaded) == repr(value)  # repr tells tuples from lists, True from 1, 0.0 from -0.0


dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes()
    | hnp.unsigned_integer_dtypes()
    | hnp.floating_dtypes(sizes=(16, 32, 64))
)


@settings(max_examples=40, deadline=None)
@given(array=hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, min_side=0)))
def test_arrays_come_back_bit_for_bit(array, tmp_path_factory):
    loaded = round_trip(Holder(array), tmp_path_factory.mktemp("x")).value
    assert (loaded.shape, loaded.dtype) == (array.shape, array.dtype.newbyteorder("="))
    assert loaded.tobytes() == array.astype(loaded.dtype).tobytes()


def test_the_order_of_an_array_in_memory_is_kept(tmp_path):
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    loaded = round_trip(Holder(array), tmp_path).value
    assert loaded.flags.f_contiguous and not loaded.flags.c_contiguous
    np.testing.assert_array_equal(loaded, array)


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, np.float32(0.1), np.int64(3), np.bool_(True), np.str_("a")]
)
def test_special_numbers_keep_value_and_type(value, tmp_path):
    loaded = round_trip(Holder(value), tmp_path).value
    assert repr(loaded) == repr(value)


def test_arrays_of_names_come_back(tmp_path):
    names = {"fixed": np.array([["T1w", "FLAIR"]]), "object": np.array(["T1w", None], dtype=object)}
    loaded = round_trip(Holder(names), tmp_path).value
    for key, array in names.items():
        assert loaded[key].dtype == array.dtype
        np.testing.assert_array_equal(loaded[key], array)


def test_a_generator_goes_on_where_it_was(tmp_path):
    generator = np.random.RandomState(5)
    generator.normal(size=3)
    loaded = round_trip(Holder(generator), tmp_path).value
    np.testing.assert_array_equal(loaded.normal(size=4), generator.normal(size=4))


def test_a_module_comes_back_with_its_weights_buffers_and_mode(tmp_path):
    net = Net(3, depth=1)
    net.norm(torch.randn(5, 3))  # moves the running mean, a buffer
    loaded = round_trip(Holder(net.eval()), tmp_path).value
    assert (loaded.depth, loaded.training, loaded.norm.training) == (1, False, False)
    for name, tensor in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_an_object_in_two_places_stays_one_object(tmp_path):
    net = Net(2)
    loaded = round_trip(Holder([net, Holder(net)]), tmp_path)
    assert loaded.value[0] is loaded.value[1].value


def test_a_pipeline_of_scikit_learn_scores_as_before(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    pipeline = make_pipeline(
        StandardScaler(), FrozenEstimator(GaussianMixture(2, random_state=0).fit(X))
    ).fit(X)
    loaded = round_trip(pipeline, tmp_path, trusted=())
    np.testing.assert_array_equal(loaded.score_samples(X), pipeline.score_samples(X))
    assert repr(loaded) == repr(pipeline)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: type(each).__name__)
def test_every_estimator_of_skad_scores_bit_for_bit_as_before(estimator, tmp_path):
    images = make_check_images(image_size=IMAGE_SIZES.get(type(estimator), IMAGE_SIZE))
    X = as_pairs(images) if takes_pairs(estimator) else images
    fitted = clone(estimator).set_params(**seeded(estimator)).fit(X)
    loaded = round_trip(fitted, tmp_path, trusted=())
    np.testing.assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))
    np.testing.assert_array_equal(loaded.transform(X), fitted.transform(X))
    assert repr(loaded) == repr(fitted)
    assert vars(loaded).keys() == vars(fitted).keys()


def seeded(estimator):
    """The parameters that make the noise of an estimator the same every time."""
    return {name: 0 for name in estimator.get_params() if name.rpartition("__")[2] == "random_state"}


def test_equal_estimators_give_equal_files(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    for name in ("first", "second"):
        save(make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)).fit(X), tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_saving_and_loading_leave_the_random_generator_alone(tmp_path):
    holder = Holder(Net(3))
    before = torch.get_rng_state()
    round_trip(holder, tmp_path)
    assert torch.equal(before, torch.get_rng_state())


def test_a_loaded_model_no_longer_needs_its_file(tmp_path):
    loaded = round_trip(Holder(np.ones(5)), tmp_path)
    (tmp_path / "estimator.skad").write_bytes(b"")
    assert loaded.value.sum() == 5


def test_callbacks_are_left_out_with_a_warning(tmp_path):
    class Trained(Holder):
        def __init__(self, callbacks=None):
            self.callbacks = callbacks

    with pytest.warns(UserWarning, match="callbacks of Trained"):
        loaded = round_trip(Trained([print]), tmp_path, trusted=[Trained])
    assert loaded.callbacks is None


def test_a_function_is_refused_at_saving_with_its_place(tmp_path):
    with pytest.raises(
        ValueError, match=r"^Holder\.value\.0\.value is a function, which a skad file cannot hold"
    ):
        save(Holder([Holder(lambda: 0)]), tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_a_module_that_forgets_an_argument_is_refused_at_saving(tmp_path):
    class Forgetful(torch.nn.Module):
        def __init__(self, width):
            super().__init__()

    with pytest.raises(ValueError, match="Forgetful should store its constructor argument 'width'"):
        save(Holder(Forgetful(3)), tmp_path / "x")


def test_a_module_that_changed_shape_is_refused_at_saving(tmp_path):
    net = Net(3, depth=1)
    net.layers.append(torch.nn.Linear(3, 3))
    with pytest.raises(
        ValueError, match=r"Net, built again from its constructor arguments, has a different 'layers.1.bias'"
    ):
        save(Holder(net), tmp_path / "x")


def test_only_an_estimator_is_saved(tmp_path):
    with pytest.raises(ValueError, match="should be a scikit-learn estimator, got dict"):
        save({}, tmp_path / "x")


def test_a_class_that_nobody_trusts_is_refused(tmp_path):
    save(Holder(1), tmp_path / "x")
    with pytest.raises(
        LoadError, match=r"x asks for the class .*Holder, .* pass trusted=\[Holder\] to skad.load\.$"
    ):
        load(tmp_path / "x")


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "skad.persistence.files.Path",
        "skad.nonsense.X",
        "sklearn.utils.Bunch",
    ],
)
def test_a_file_cannot_name_anything_but_listed_classes(name, tmp_path):
    save(Holder(1), tmp_path / "x")
    rewrite_header(tmp_path / "x", lambda header: header["root"].update({"class": name}))
    with pytest.raises(LoadError):
        load(tmp_path / "x", trusted=[Holder])


@pytest.mark.parametrize("attribute", ["__class__", "get_params", "__reduce__"])
def test_a_file_cannot_replace_a_method(attribute, tmp_path):
    save(Holder(1), tmp_path / "x")
    rewrite_header(tmp_path / "x", lambda header: header["root"]["state"].update({attribute: 1}))
    with pytest.raises(LoadError, match=f"would replace .*{attribute}"):
        load(tmp_path / "x", trusted=[Holder])


class Trap:
    def __reduce__(self):
        return os.system, (f"echo sprung > {os.environ['SKAD_TEST_TRAP']}",)


@pytest.mark.parametrize("write", [pickle.dumps, lambda trap: pickle.dumps(trap, protocol=2)])
def test_a_pickle_is_refused_without_being_run(write, tmp_path, monkeypatch):
    monkeypatch.setenv("SKAD_TEST_TRAP", str(tmp_path / "sprung"))
    (tmp_path / "adm.skad").write_bytes(write(Trap()))
    with pytest.raises(LoadError, match=r"adm.skad is a pickle, .* save it again with skad.save\.$"):
        load(tmp_path / "adm.skad")
    assert not (tmp_path / "sprung").exists()


def test_a_torch_checkpoint_is_refused_as_the_pickle_it_is(tmp_path):
    torch.save(Net(2), tmp_path / "adm.skad")
    with pytest.raises(LoadError, match="is a pickle"):
        load(tmp_path / "adm.skad")


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_anywhere_is_refused_by_name(share, tmp_path_factory):
    path = tmp_path_factory.mktemp("x") / "adm.skad"
    save(Holder(np.arange(50.0)), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(LoadError, match=r"adm\.skad .*copy it again"):
        load(path, trusted=[Holder])


def test_a_newer_format_is_refused(tmp_path):
    save(Holder(1), tmp_path / "x")
    rewrite_header(tmp_path / "x", lambda header: header.update({"format": 2}))
    with pytest.raises(LoadError, match=r"x was written by skad .* in format 2, .*: upgrade skad\.$"):
        load(tmp_path / "x", trusted=[Holder])


def test_a_parameter_of_another_version_is_named(tmp_path):
    save(Holder(1), tmp_path / "x")
    rewrite_header(tmp_path / "x", lambda header: header["root"]["params"].update({"novelty": 1}))
    with pytest.raises(LoadError, match=r"cannot build \(.*novelty.*install the version that wrote it"):
        load(tmp_path / "x", trusted=[Holder])


def test_a_translator_of_a_file_that_knows_no_neighbors_looks_at_slices_alone(tmp_path):
    X = make_check_images()
    translator = ContrastTranslator(width=2, n_blocks=0, max_epochs=1, random_state=0).fit(X)
    save(translator, tmp_path / "x")
    rewrite_header(
        tmp_path / "x", lambda header: header["root"]["state"]["module_"]["config"].pop("neighbors")
    )
    np.testing.assert_array_equal(load(tmp_path / "x").transform(X), translator.transform(X))


@pytest.mark.parametrize(
    "change", [lambda h: h.pop("root"), lambda h: h["root"].update(kind="spell"), lambda h: h.clear()]
)
def test_a_header_that_makes_no_sense_is_called_damaged(change, tmp_path):
    save(Holder(np.ones(2)), tmp_path / "x")
    rewrite_header(tmp_path / "x", change)
    with pytest.raises(LoadError, match="x is damaged"):
        load(tmp_path / "x", trusted=[Holder])


def test_plain_weights_are_told_from_an_estimator(tmp_path):
    safetensors.torch.save_file({"a": torch.ones(2)}, tmp_path / "weights.safetensors")
    with pytest.raises(LoadError, match="holds tensors but no skad estimator"):
        load(tmp_path / "weights.safetensors")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LoadError, match=r"nowhere.skad is not a file: check the path\.$"):
        load(tmp_path / "nowhere.skad")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"file/x.skad cannot be written \(.*\): choose a folder"):
        save(Holder(1), tmp_path / "file" / "x.skad")


def test_an_interrupted_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "table.csv").write_text("old")
    with pytest.raises(KeyboardInterrupt), written_whole(tmp_path / "table.csv") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("table.csv", "old")]


def test_loading_never_unpickles(tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("unpickled")

    save(GaussianMixture().fit(np.eye(3)), tmp_path / "x")
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)
    assert load(tmp_path / "x").means_.shape == (1, 3)
