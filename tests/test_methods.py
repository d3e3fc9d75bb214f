"""Methods by name."""

import pytest
from sklearn.model_selection import ParameterGrid

from skad.composition import set_parameters
from skad.methods import GRIDS, METHODS, make_detector


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_grid_of_valid_values_around_its_default(method):
    default = make_detector(method).pipeline.get_params()
    assert all(default[name] in values for name, values in GRIDS[method].items())
    for candidate in ParameterGrid(GRIDS[method]):
        make_detector(method, parameters=candidate)


def test_seed_epochs_and_device_reach_every_step():
    parameters = make_detector("introvae", random_state=7, max_epochs=3, device="cpu").get_params()
    for name, value in (("random_state", 7), ("max_epochs", 3), ("device", "cpu")):
        found = {key: parameters[key] for key in parameters if key.rpartition("__")[2] == name}
        assert len(found) >= 2 and set(found.values()) == {value}


def test_a_parameter_is_named_by_its_step():
    detector = make_detector("adm", parameters={"score__n_components": 3, "preprocessor__size": (24, 20)})
    assert detector.pipeline["score"].n_components == 3 and detector.preprocessor.size == (24, 20)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"score__n_component": 3}, "did you mean score__n_components?"),
        ({"score__n_components": 0}, "n_components"),
        ({"preprocessor__size": "large"}, "size"),
    ],
)
def test_a_wrong_parameter_is_told_before_anything_is_trained(parameters, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        set_parameters(make_detector("adm"), parameters)
