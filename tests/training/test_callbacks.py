"""skorch's own callbacks work in a training of skad, also in one that is resumed."""

import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping, LRScheduler

from skad.training import checkpoint_in

from ..tiny_estimators import TinyReconstructor


class KillAt(Callback):
    """Ctrl-C at the end of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if net.progress.epoch + 1 == self.epoch:
            raise KeyboardInterrupt


class BestInSecondEpoch(Callback):
    def on_epoch_end(self, net, **kwargs):
        net.history.record("score", float(net.progress.epoch != 1))


def patience(n_epochs):
    """Stops one epoch after its patience: the first epoch counts as better, no other is better by enough."""
    return EarlyStopping(monitor="train_loss", patience=n_epochs, threshold=1e9, threshold_mode="abs")


def test_early_stopping_ends_the_fit_without_an_error(images):
    fitted = TinyReconstructor(max_epochs=9, random_state=0, callbacks=[patience(3)]).fit(images)
    assert len(fitted.loss_curve_) == 4


def test_stopped_training_is_read_back_not_continued(images, tmp_path):
    for _ in range(2):
        with checkpoint_in(tmp_path):
            fitted = TinyReconstructor(max_epochs=9, random_state=0, callbacks=[patience(3)]).fit(images)
    assert len(fitted.loss_curve_) == 4


def test_learning_rate_schedule_is_followed(images):
    constant = TinyReconstructor(max_epochs=2, random_state=0).fit(images)
    frozen = LRScheduler(torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda epoch: float(epoch == 0))
    scheduled = TinyReconstructor(max_epochs=2, random_state=0, callbacks=[frozen]).fit(images)
    once = TinyReconstructor(max_epochs=1, random_state=0).fit(images)
    assert torch.equal(scheduled.module_[0].weight, once.module_[0].weight)
    assert not torch.equal(scheduled.module_[0].weight, constant.module_[0].weight)


@pytest.mark.parametrize("step_every", ["epoch", "batch"])
def test_resumed_schedule_ends_with_the_same_weights(images, tmp_path, step_every):
    def schedule():
        return LRScheduler(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=6, step_every=step_every)

    params = {"max_epochs": 6, "random_state": 0}
    whole = TinyReconstructor(**params, callbacks=[schedule()]).fit(images)
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        TinyReconstructor(**params, callbacks=[schedule(), KillAt(4)]).fit(images)
    with checkpoint_in(tmp_path):
        resumed = TinyReconstructor(**params, callbacks=[schedule()]).fit(images)
    assert torch.equal(resumed.module_[0].weight, whole.module_[0].weight)
    assert resumed.loss_curve_ == whole.loss_curve_


def test_resumed_patience_counts_on(images, tmp_path):
    params = {"max_epochs": 9, "random_state": 0}
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        TinyReconstructor(**params, callbacks=[("stop", patience(5)), KillAt(4)]).fit(images)
    with checkpoint_in(tmp_path):
        resumed = TinyReconstructor(**params, callbacks=[("stop", patience(5))]).fit(images)
    assert len(resumed.loss_curve_) == 6


def test_best_weights_of_before_the_interrupt_are_restored(images, tmp_path):
    def stop():
        return [BestInSecondEpoch(), ("stop", EarlyStopping(monitor="score", patience=9, load_best=True))]

    best = TinyReconstructor(max_epochs=2, random_state=0).fit(images)
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        TinyReconstructor(max_epochs=4, random_state=0, callbacks=[*stop(), KillAt(3)]).fit(images)
    with checkpoint_in(tmp_path):
        resumed = TinyReconstructor(max_epochs=4, random_state=0, callbacks=stop()).fit(images)
    assert torch.equal(resumed.module_[0].weight, best.module_[0].weight)
