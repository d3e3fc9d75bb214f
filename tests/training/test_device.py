"""Where a network runs and in which precision."""

import pytest
import torch

from skad.training import autocast, resolve_device, resolve_precision


def test_auto_device_follows_the_machine():
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_unknown_device_is_named():
    with pytest.raises(ValueError, match="abacus"):
        resolve_device("abacus")


def test_gpu_that_is_not_there_is_an_error_with_the_count():
    with pytest.raises(ValueError, match=f"this machine has {torch.cuda.device_count()} GPUs"):
        resolve_device("cuda:99")


def test_auto_precision_on_a_cpu_is_plain_float32():
    assert resolve_precision("auto", torch.device("cpu")) is None


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), None), ((8, 0), torch.bfloat16)])
def test_auto_precision_on_a_gpu_is_bf16_where_it_has_bf16(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_precision("auto", torch.device("cuda:0")) is expected


def test_precision_asked_for_is_kept():
    assert resolve_precision("bf16", torch.device("cpu")) is torch.bfloat16
    assert resolve_precision("fp32", torch.device("cuda:0")) is None


def test_autocast_computes_in_bf16():
    layer, x = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with autocast(torch.device("cpu"), torch.bfloat16):
        assert layer(x).dtype is torch.bfloat16
    with autocast(torch.device("cpu"), None):
        assert layer(x).dtype is torch.float32
