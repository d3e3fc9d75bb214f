"""Seeds: same seed, same numbers; the caller's generators never move."""

import threading

import numpy as np
import pytest
import torch

from skad.training import seeded


def draws(random_state):
    with seeded(random_state) as generator:
        return torch.rand(3).tolist(), generator.random(3).tolist()


def test_same_seed_draws_the_same():
    assert draws(3) == draws(3)


def test_other_seed_draws_something_else():
    assert draws(3) != draws(4)


def test_none_draws_something_else_every_time():
    np.random.seed(0)  # noqa: NPY002
    first = draws(None)
    np.random.seed(0)  # noqa: NPY002
    assert draws(None) != first


def test_random_state_object_is_used_and_moves_on():
    state = np.random.RandomState(0)
    first = draws(state)
    assert draws(state) != first
    assert draws(np.random.RandomState(0)) == first


def test_global_generators_are_restored():
    torch.manual_seed(11)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    with seeded(0):
        torch.rand(5)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_global_generator_is_restored_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError), seeded(0):
        torch.rand(5)
        raise RuntimeError
    assert torch.equal(torch.get_rng_state(), before)


def test_cudnn_setting_of_the_caller_is_restored(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    with seeded(0):
        assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.deterministic


def test_a_block_in_another_thread_waits_and_disturbs_nothing():
    entered = threading.Event()

    def other():
        with seeded(1):
            entered.set()
            torch.rand(1)

    thread = threading.Thread(target=other)
    with seeded(0):
        before = torch.rand(3)
        thread.start()
        assert not entered.wait(0.1)
        after = torch.rand(3)
    thread.join()
    assert entered.is_set()
    with seeded(0):
        assert torch.equal(torch.rand(3), before) and torch.equal(torch.rand(3), after)


def test_blocks_of_one_thread_nest():
    with seeded(0), seeded(1):
        inner = torch.rand(2)
    with seeded(1):
        assert torch.equal(inner, torch.rand(2))
