"""Training: what is trained, on what, and how it stops."""

import logging
import warnings

import numpy as np
import pytest
import torch
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import Callback
from torch import nn

from skad.nn.background import foreground_mean
from skad.training import DivergenceError, Training, checkpoint_in, seeded

from ..tiny_estimators import FakeOutOfMemory, TinyReconstructor, squared_error

BACKGROUND = np.array([-3.0, -4.0])


def train(images, *, module=None, loss=squared_error, y=None, step=None, **settings):
    """Train a small network outside any estimator; returns it with its curves."""
    training = Training(**{"max_epochs": 2, "batch_size": 2, "lr": 0.01, **settings})
    with seeded(0):
        module = nn.Conv2d(2, 2, 1) if module is None else module
        curves = training.fit(module, images, loss, background=BACKGROUND, y=y, step=step)
    return module, curves


def recording(seen):
    """A loss that keeps the batches it was given."""

    def loss(module, images, foreground):
        seen.append((images.clone(), foreground.clone()))
        return squared_error(module, images, foreground)

    return loss


class Interrupt(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt


def test_loss_falls(images):
    _, curves = train(images, max_epochs=10)
    assert curves["loss"][-1] < 0.9 * curves["loss"][0]


def test_weights_are_those_of_a_plain_loop_of_adam(images):
    module, _ = train(images[:1], max_epochs=5, lr=0.05)
    with seeded(0):
        expected = nn.Conv2d(2, 2, 1)
    batch = torch.from_numpy(images[:1])
    foreground = ~batch.isnan().all(1, keepdim=True)
    filled = torch.where(batch.isnan(), torch.tensor(BACKGROUND, dtype=torch.float32)[:, None, None], batch)
    optimizer = torch.optim.Adam(expected.parameters(), lr=0.05)
    for _ in range(5):
        optimizer.zero_grad()
        squared_error(expected, filled, foreground)["loss"].backward()
        optimizer.step()
    torch.testing.assert_close(module.weight, expected.weight)


def test_same_seed_gives_the_same_weights_and_curve(images):
    (first, curve), (second, again) = (train(images, max_epochs=3) for _ in range(2))
    assert torch.equal(first.weight, second.weight)
    assert curve == again


def test_every_slice_with_foreground_is_seen_once_per_epoch(images):
    seen = []
    train(images, loss=recording(seen), max_epochs=1, batch_size=4)
    batches = torch.cat([batch for batch, _ in seen])
    visible = images[~np.isnan(images).all(axis=(1, 2, 3))]
    assert sorted(batches.amax((1, 2, 3)).tolist()) == sorted(np.nanmax(visible, axis=(1, 2, 3)).tolist())


def test_order_of_the_slices_changes_with_the_epoch(images):
    seen = []
    train(images, loss=recording(seen), max_epochs=2, batch_size=6)
    (first, _), (second, _) = seen
    assert not torch.equal(first, second)


def test_nan_is_background_before_the_network(images):
    seen = []
    train(images, loss=recording(seen), max_epochs=1)
    for batch, foreground in seen:
        outside = ~foreground.expand_as(batch)
        expected = torch.tensor(BACKGROUND, dtype=torch.float32)[:, None, None].expand_as(batch)
        assert torch.equal(batch[outside], expected[outside])


def test_background_is_put_back_after_augmentation(images):
    seen = []
    train(
        images, loss=recording(seen), augmentation=lambda x, foreground: (x + 100, foreground), max_epochs=1
    )
    batch, foreground = seen[0]
    assert batch[foreground.expand_as(batch)].min() > 90
    assert batch[~foreground.expand_as(batch)].max() == BACKGROUND.max()


def test_curve_is_the_mean_over_slices_not_over_batches(images):
    seen = []

    def step(run, batch, foreground):
        seen.append(len(batch))
        return {"size": torch.tensor(float(len(batch)))}

    _, curves = train(images[:3], step=step, max_epochs=1, batch_size=2)
    assert sorted(seen) == [1, 2]
    assert curves["size"] == [pytest.approx((2 * 2 + 1 * 1) / 3)]


def test_step_of_two_players_gets_the_module_and_both_optimizers(images):
    def optimizers(module):
        return {"a": torch.optim.SGD([module.weight], lr=0.1), "b": torch.optim.SGD([module.bias], lr=0.0)}

    def step(run, batch, foreground):
        loss = foreground_mean((run.module(batch) - batch).square(), foreground)
        loss.backward()
        for optimizer in run.optimizers.values():
            optimizer.step()
            optimizer.zero_grad()
        return {"first": loss, "second": 2 * loss}

    start = nn.Conv2d(2, 2, 1)
    bias, weight = start.bias.detach().clone(), start.weight.detach().clone()
    module, curves = train(images, module=start, step=step, optimizers=optimizers, max_epochs=2)
    assert torch.equal(module.bias, bias) and not torch.equal(module.weight, weight)
    assert np.allclose(curves["second"], 2 * np.array(curves["first"]))


def test_module_rests_on_the_cpu_in_evaluation_mode_without_gradients(images):
    module, _ = train(images, module=nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)))
    assert not any(part.training for part in module.modules())
    assert all(p.grad is None for p in module.parameters())


def test_memory_map_is_trained_like_the_array(images, tmp_path):
    np.save(tmp_path / "X.npy", images.astype(np.float64))
    mapped, _ = train(np.load(tmp_path / "X.npy", mmap_mode="r"))
    assert torch.equal(mapped.weight, train(images)[0].weight)


def test_only_background_is_refused(images):
    with pytest.raises(ValueError, match="foreground"):
        train(np.full_like(images, np.nan))


def test_keyboard_interrupt_passes_through(images):
    with pytest.raises(KeyboardInterrupt):
        train(images, callbacks=[Interrupt()])


def test_module_rests_after_an_interrupt_too(images):
    module = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))
    with pytest.raises(KeyboardInterrupt):
        train(images, module=module, callbacks=[Interrupt()])
    assert not any(part.training for part in module.modules())


def test_callbacks_of_the_caller_are_copied(images):
    class Counter(Callback):
        count = 0

        def on_epoch_end(self, net, **kwargs):
            self.count += 1

    counter = Counter()
    train(images, callbacks=[counter])
    assert counter.count == 0


def test_divergence_names_the_loss_and_the_epoch(images):
    epochs = iter([1.0] * 3 + [float("nan")] * 9)

    def loss(module, batch, foreground):
        value = squared_error(module, batch, foreground)["loss"]
        return {"loss": value, "energy": value.detach() * next(epochs)}

    with pytest.raises(DivergenceError, match="energy became nan in epoch 2"):
        train(images[:2], loss=loss, max_epochs=5, batch_size=1)


@pytest.mark.parametrize(("limit", "batch_size", "fits"), [(3, 6, 3), (1, 8, 1), (4, 6, 3)])
def test_out_of_memory_names_a_batch_size_that_fits(images, limit, batch_size, fits):
    with pytest.raises(MemoryError, match=f"batch_size={fits} fits"):
        train(images, module=FakeOutOfMemory(limit), batch_size=batch_size)


def test_a_cpu_without_memory_names_a_batch_size_that_fits_too(images):
    def loss(module, x, foreground):
        if len(x) > 3:
            torch.empty(2**55)
        return squared_error(module, x, foreground)

    with pytest.raises(MemoryError, match="Out of memory on cpu during training; batch_size=3 fits"):
        train(images, loss=loss, batch_size=6, device="cpu")


def test_out_of_memory_for_a_single_slice_says_so(images):
    with pytest.raises(MemoryError, match="even with batch_size=1"):
        train(images, module=FakeOutOfMemory(0), batch_size=4)


def test_out_of_memory_while_the_network_moves_says_so(images, monkeypatch):
    def full(*args, **kwargs):
        raise torch.OutOfMemoryError

    module = nn.Conv2d(2, 2, 1)
    monkeypatch.setattr(module, "to", full)
    with pytest.raises(MemoryError, match="a device that is free"):
        train(images, module=module)


def test_bf16_trains_on_a_cpu_close_to_float32(images):
    half, _ = train(images, precision="bf16", max_epochs=3)
    full, _ = train(images, precision="fp32", max_epochs=3)
    assert half.weight.dtype is torch.float32
    assert not torch.equal(half.weight, full.weight)
    torch.testing.assert_close(half.weight, full.weight, atol=0.02, rtol=0)


def test_progress_bar_shows_epochs_and_loss(images, capsys):
    train(images, verbose=True, max_epochs=3)
    err = capsys.readouterr().err
    assert "Training: 100%" in err and "3/3" in err and "loss=" in err


def test_progress_bar_is_closed_before_an_error_is_told(images, capsys):
    with pytest.raises(KeyboardInterrupt) as error:
        train(images, verbose=True, callbacks=[Interrupt()])
    assert error.traceback  # it holds the bar, which would close itself when nobody does
    assert capsys.readouterr().err.endswith("\n")


def test_quiet_without_verbose(images, capsys):
    train(images)
    assert capsys.readouterr() == ("", "")


def test_training_gives_no_warnings(images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(images, max_epochs=1)


def labeled(images):
    """Labels that know their pixel: 1 where the first contrast is positive."""
    return (np.nan_to_num(images[:, 0]) > 0).astype(np.uint8)


def test_labels_come_with_their_slices(images):
    seen = []

    def loss(module, batch, foreground, labels):
        seen.append((batch.clone(), foreground.clone(), labels))
        return squared_error(module, batch, foreground)

    train(images, y=labeled(images), loss=loss, max_epochs=2)
    for batch, foreground, labels in seen:
        assert labels.dtype == torch.int64
        assert torch.equal(labels > 0, (batch[:, 0] > 0) & foreground[:, 0])


def test_labels_are_augmented_with_their_slices(images):
    def flipped(batch, foreground, labels):
        return batch.flip(-1), foreground.flip(-1), labels.flip(-1)

    def loss(module, batch, foreground, labels):
        assert torch.equal(labels > 0, (batch[:, 0] > 0) & foreground[:, 0])
        return squared_error(module, batch, foreground)

    train(images, y=labeled(images), loss=loss, augmentation=flipped, max_epochs=1)


def test_out_of_memory_names_a_batch_size_that_fits_with_labels_too(images):
    def loss(module, batch, foreground, labels):
        assert len(labels) == len(batch)
        return squared_error(module, batch, foreground)

    with pytest.raises(MemoryError, match="batch_size=2 fits"):
        train(images, module=FakeOutOfMemory(2), loss=loss, y=labeled(images), batch_size=4)


def test_hooks_see_the_epochs_they_bound(images):
    seen = []
    train(
        images,
        max_epochs=3,
        on_epoch_start=lambda run: seen.append(("start", run.epoch, run.n_steps, len(run.curves))),
        on_epoch_end=lambda run: seen.append(("end", run.epoch, run.n_steps, len(run.curves["loss"]))),
    )
    assert seen == [  # 6 slices with foreground, 2 at a time
        ("start", 0, 0, 0),
        ("end", 1, 3, 1),
        ("start", 1, 3, 1),
        ("end", 2, 6, 2),
        ("start", 2, 6, 1),
        ("end", 3, 9, 3),
    ]


def test_a_hook_can_switch_what_is_learned(images):
    """A schedule without a counter of its own: no step of the second epoch moves the weights."""

    def slow_down(run):
        run.optimizers["adam"].param_groups[0]["lr"] = 0.1 if run.epoch == 0 else 0.0

    moved, _ = train(images, max_epochs=2, on_epoch_start=slow_down)
    expected, _ = train(images, max_epochs=1, lr=0.1)
    assert torch.equal(moved.weight, expected.weight)


def test_resumed_run_counts_steps_and_epochs_on(images, tmp_path):
    def stop(run):
        if run.epoch == 2:
            raise KeyboardInterrupt

    seen = []
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        train(images, max_epochs=4, on_epoch_start=stop)
    with checkpoint_in(tmp_path):
        train(images, max_epochs=4, on_epoch_start=lambda run: seen.append((run.epoch, run.n_steps)))
    assert seen == [(2, 6), (3, 9)]


def test_settings_of_an_estimator_become_a_training(images):
    estimator = TinyReconstructor(max_epochs=7, batch_size=3, lr=0.2, precision="bf16", verbose=True)
    training = Training.of(estimator, max_epochs=5)
    assert (training.max_epochs, training.batch_size, training.lr) == (5, 3, 0.2)
    assert (training.precision, training.verbose, training.name) == ("bf16", True, "TinyReconstructor")
    assert estimator.max_epochs == 7


@pytest.mark.parametrize("bad", [{"max_epochs": 0}, {"batch_size": 1.5}, {"lr": 0}, {"precision": "fp16"}])
def test_settings_outside_their_domain_are_refused(bad):
    with pytest.raises(InvalidParameterError, match=f"'{next(iter(bad))}' parameter of Training"):
        Training(**{"max_epochs": 1, **bad})


def test_every_epoch_is_logged_with_its_loss_and_the_time_left(images, caplog, monkeypatch):
    clock = iter(range(0, 1000, 100))
    monkeypatch.setattr("skad.training.loop.time.monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO, logger="skad.training"):
        _, curves = train(images, max_epochs=3, name="Translator")
    assert [record.getMessage() for record in caplog.records] == [
        f"Translator: epoch 1 of 3, loss {curves['loss'][0]:.4g}, 0:03:20 left",
        f"Translator: epoch 2 of 3, loss {curves['loss'][1]:.4g}, 0:01:40 left",
        f"Translator: epoch 3 of 3, loss {curves['loss'][2]:.4g}, 0:00:00 left",
    ]
