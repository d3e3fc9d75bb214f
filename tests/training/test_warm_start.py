import pytest
import torch
from torch import nn

from skad.training import start_module


class Fitted:
    """What start_module looks at."""

    def __init__(self, warm_start, module=None):
        self.warm_start = warm_start
        if module is not None:
            self.module_ = module


def test_a_cold_start_is_the_network_as_built():
    built = nn.Linear(2, 3)
    before = built.weight.detach().clone()
    assert start_module(Fitted(False, nn.Linear(2, 3)), built) is built
    assert start_module(Fitted(True), built) is built
    assert torch.equal(built.weight, before)


def test_a_warm_start_takes_the_weights_and_leaves_what_was_fitted():
    fitted, built = nn.Linear(2, 3), nn.Linear(2, 3)
    before = fitted.weight.detach().clone()
    module = start_module(Fitted(True, fitted), built)
    assert torch.equal(module.weight, before)
    with torch.no_grad():
        module.weight.add_(1)
    assert torch.equal(fitted.weight, before)


@pytest.mark.parametrize(
    "other", [nn.Linear(2, 4), nn.Linear(2, 3, bias=False), nn.Sequential(nn.Linear(2, 3))]
)
def test_another_architecture_is_refused(other):
    with pytest.raises(ValueError, match=r"now ask for another one .* set warm_start=False"):
        start_module(Fitted(True, nn.Linear(2, 3)), other)
