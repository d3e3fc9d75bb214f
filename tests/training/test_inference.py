"""A network over many slices: batches, order, memory."""

import numpy as np
import pytest
import torch
from torch import nn

from skad.training import map_slices, visit_slices

from ..tiny_estimators import FakeOutOfMemory

BACKGROUND = np.array([-3.0, -4.0])


class Fitted:
    """What an estimator says of itself."""

    background_ = BACKGROUND
    batch_size = 2
    device = "auto"
    precision = "auto"


def run(function, X, *, modules=(), **kwargs):
    return map_slices(Fitted(), function, X, modules=list(modules), **kwargs)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 50])
def test_results_come_in_the_order_of_the_slices(images, batch_size):
    actual = run(lambda x, foreground: x.mean((1, 2, 3)), images, batch_size=batch_size)
    filled = np.where(np.isnan(images), BACKGROUND[:, None, None], images)
    np.testing.assert_allclose(actual, filled.mean(axis=(1, 2, 3)), rtol=1e-4)


def test_foreground_is_that_of_the_images(images):
    actual = run(lambda x, foreground: foreground, images)
    assert np.array_equal(actual[:, 0], ~np.isnan(images).all(axis=1))


def test_pairs_are_filled_in_both_images(images):
    pairs = np.stack([images, 2 * images], axis=1)
    actual = run(lambda x, foreground: x, pairs)
    assert np.array_equal(
        actual, np.where(np.isnan(pairs), BACKGROUND[:, None, None], pairs).astype(np.float32)
    )


def test_dropout_is_off(images):
    network = nn.Dropout(0.5).train()
    assert np.array_equal(
        *(run(lambda x, foreground: network(x), images, modules=[network]) for _ in range(2))
    )


def test_no_gradients_are_recorded(images):
    network = nn.Conv2d(2, 1, 1)
    run(lambda x, foreground: network(x), images, modules=[network])
    (_, result), *_ = visit_slices(
        Fitted(), lambda x, foreground: network(x), images, modules=[network], batch_size=9
    )
    assert not result.requires_grad


def test_halved_batches_give_the_same(images):
    network = FakeOutOfMemory(limit=2)
    actual = run(lambda x, foreground: network(x), images, modules=[network], batch_size=7)
    network.limit = 100
    expected = run(lambda x, foreground: network(x), images, modules=[network], batch_size=7)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    assert network.seen == [7, 3, 1, 1, 1, 1, 1, 1, 1, 7]


def test_a_cpu_without_memory_halves_the_batch_too(images):
    seen = []

    def allocate(x, foreground):
        seen.append(len(x))
        return x if len(x) <= 2 else torch.empty(2**55)

    np.testing.assert_array_equal(run(allocate, images, batch_size=7), run(lambda x, foreground: x, images))
    assert seen[:3] == [7, 3, 1]


def test_another_error_of_torch_is_passed_on(images):
    with pytest.raises(RuntimeError, match="shape"):
        run(lambda x, foreground: x.reshape(-1, 7, 11, 13), images)


def test_one_slice_that_does_not_fit_is_said(images):
    network = FakeOutOfMemory(limit=0)
    with pytest.raises(MemoryError, match=r"one slice of shape \(2, 20, 24\)"):
        run(lambda x, foreground: network(x), images, modules=[network])


def test_bf16_result_is_float32(images):
    network = nn.Conv2d(2, 1, 1)
    half, full = (
        run(lambda x, foreground: network(x), images, modules=[network], precision=precision)
        for precision in ("bf16", "fp32")
    )
    assert half.dtype == np.float32
    assert not np.array_equal(half, full)
    np.testing.assert_allclose(half, full, atol=0.1)


def test_global_generator_does_not_move(images):
    before = torch.get_rng_state()
    run(lambda x, foreground: x, images)
    assert torch.equal(torch.get_rng_state(), before)


def test_memory_map_is_read_batch_by_batch(images, tmp_path):
    np.save(tmp_path / "X.npy", images.astype(np.float64))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.array_equal(run(lambda x, foreground: x, X), run(lambda x, foreground: x, images))
