"""A killed training goes on from its last finished epoch and ends as if nothing had happened."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from torch import nn

from skad.augmentation import Augmentation, Geometry, Intensity
from skad.training import Training, checkpoint_in, seeded
from skad.utils.estimator_checks.data import make_check_images
from skad.utils.files import WriteError

from ..tiny_estimators import TinyReconstructor, TinyResidual, squared_error


class Kill(Callback):
    """Ctrl-C in the middle of an epoch (counted over all its trainings)."""

    def __init__(self, *, epoch):
        self.epoch = epoch

    def on_train_begin(self, net, **kwargs):
        self.seen = 0

    def on_batch_end(self, net, **kwargs):
        self.seen += 1
        if self.seen == 3 * (self.epoch - 1) + 2:  # 6 slices with foreground, 2 at a time
            raise KeyboardInterrupt


def reconstructor(**params):
    return TinyReconstructor(**{"max_epochs": 5, "random_state": 0, **params})


def weights(fitted):
    return torch.cat([value.flatten().double() for value in fitted.module_.state_dict().values()])


def fit_killed_and_resumed(folder, make, X, epoch):
    with pytest.raises(KeyboardInterrupt), checkpoint_in(folder):
        make(callbacks=[Kill(epoch=epoch)]).fit(X)
    with checkpoint_in(folder):
        return make(callbacks=None).fit(X)


@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_resumed_training_ends_with_exactly_the_same_weights(images, tmp_path, epoch):
    whole = reconstructor().fit(images)
    resumed = fit_killed_and_resumed(tmp_path, reconstructor, images, epoch)
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.loss_curve_ == whole.loss_curve_


def test_augmentation_goes_on_with_the_same_random_numbers(images, tmp_path):
    def make(callbacks=None):
        return reconstructor(
            augment=Augmentation(Geometry(rotation=20), Intensity(shift=0.1)), callbacks=callbacks
        )

    resumed = fit_killed_and_resumed(tmp_path, make, images, 3)
    assert torch.equal(weights(resumed), weights(make().fit(images)))


def test_finished_epochs_are_not_trained_again(images, tmp_path):
    epochs = []

    class Count(Callback):
        def on_epoch_begin(self, net, **kwargs):
            epochs.append(net)

    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        reconstructor(callbacks=[Kill(epoch=4)]).fit(images)
    Count.__deepcopy__ = lambda self, memo: self
    with checkpoint_in(tmp_path):
        reconstructor(callbacks=[Count()]).fit(images)
    assert len(epochs) == 2


class Twice(TinyResidual):
    """A second training in a pipeline: on the images of the pairs."""

    def __init__(self, *, callbacks=None, contamination=0.01):
        super().__init__(contamination=contamination)
        self.callbacks = callbacks

    def fit(self, X, y=None):
        self.module_ = reconstructor(callbacks=self.callbacks).fit(X[:, 1]).module_
        self.scale_ = 1.0
        self._check_fit_input(X)
        return self._fit_offset(X)


def test_pipeline_killed_in_its_second_training_resumes_there(images, tmp_path):
    def make(callbacks=None):
        return make_pipeline(reconstructor(), Twice(callbacks=callbacks))

    whole = make().fit(images)
    resumed = fit_killed_and_resumed(tmp_path, make, images, 3)
    for step in (0, 1):
        assert torch.equal(weights(resumed[step]), weights(whole[step]))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "00-TinyReconstructor.pt",
        "01-TinyReconstructor.pt",
    ]


class TwoStages(TinyReconstructor):
    """Two trainings under one seed; the second network is drawn after the first training."""

    def fit(self, X, y=None):
        X = self._check_fit_input(X)
        with seeded(0):
            first = nn.Conv2d(2, 2, 1)
            Training.of(self).fit(first, X, squared_error, background=self.background_)
            self.module_ = nn.Conv2d(2, 2, 1)
            training = Training.of(self, callbacks=self.second)
            curves = training.fit(self.module_, X, squared_error, background=self.background_)
        self.loss_curve_ = curves["loss"]
        return self


def test_second_training_under_one_seed_resumes_exactly(images, tmp_path):
    def make(callbacks=None):
        estimator = TwoStages(max_epochs=5)
        estimator.second = callbacks
        return estimator

    resumed = fit_killed_and_resumed(tmp_path, make, images, 3)
    assert torch.equal(weights(resumed), weights(make().fit(images)))


def test_unseeded_pipeline_resumes_with_the_weights_it_had(images, tmp_path):
    def make(callbacks=None):
        return make_pipeline(reconstructor(random_state=None), Twice(callbacks=callbacks))

    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        make([Kill(epoch=3)]).fit(images)
    before = torch.load(tmp_path / "00-TinyReconstructor.pt", weights_only=True)["module"]["0.weight"]
    with checkpoint_in(tmp_path):
        resumed = make().fit(images)
    assert torch.equal(resumed[0].module_[0].weight, before)


def test_finished_training_is_read_back(images, tmp_path):
    with checkpoint_in(tmp_path):
        first = reconstructor().fit(images)
    with checkpoint_in(tmp_path):
        second = reconstructor(callbacks=[Kill(epoch=1)]).fit(images)
    assert torch.equal(weights(first), weights(second))
    assert second.loss_curve_ == first.loss_curve_


def test_more_epochs_go_on_from_a_finished_training(images, tmp_path):
    for max_epochs in (3, 5):
        with checkpoint_in(tmp_path):
            fitted = reconstructor(max_epochs=max_epochs).fit(images)
    assert torch.equal(weights(fitted), weights(reconstructor().fit(images)))


def test_progress_bar_of_a_resumed_training_starts_where_it_stopped(images, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        reconstructor(callbacks=[Kill(epoch=4)]).fit(images)
    with checkpoint_in(tmp_path):
        reconstructor(verbose=True).fit(images)
    assert "5/5" in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"lr": 0.5}, {"batch_size": 3}, {"random_state": 1}])
def test_other_parameters_are_refused_with_the_file(images, tmp_path, change):
    with checkpoint_in(tmp_path):
        reconstructor().fit(images)
    with (
        pytest.raises(ValueError, match=r"00-TinyReconstructor\.pt .*other parameters"),
        checkpoint_in(tmp_path),
    ):
        reconstructor(**change).fit(images)


@pytest.mark.parametrize("change", [lambda X: X[:-1], lambda X: X + 1, lambda X: X[..., :-1]])
def test_other_data_are_refused(images, tmp_path, change):
    with checkpoint_in(tmp_path):
        reconstructor().fit(images)
    with pytest.raises(ValueError, match="other parameters or data"), checkpoint_in(tmp_path):
        reconstructor().fit(change(images))


def test_generator_object_is_known_again(images, tmp_path):
    for _ in range(2):
        with checkpoint_in(tmp_path):
            fitted = reconstructor(random_state=np.random.RandomState(5)).fit(images)
    assert torch.equal(
        weights(fitted), weights(reconstructor(random_state=np.random.RandomState(5)).fit(images))
    )


def test_generator_object_with_another_seed_is_refused(images, tmp_path):
    with checkpoint_in(tmp_path):
        reconstructor(random_state=np.random.RandomState(5)).fit(images)
    with pytest.raises(ValueError, match="other parameters"), checkpoint_in(tmp_path):
        reconstructor(random_state=np.random.RandomState(6)).fit(images)


def test_other_device_or_verbosity_may_resume(images, tmp_path):
    with checkpoint_in(tmp_path):
        reconstructor(device="auto").fit(images)
    with checkpoint_in(tmp_path):
        reconstructor(device="cpu", verbose=1).fit(images)


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"", lambda whole: b"hello"]
)
def test_damaged_checkpoint_is_named_with_the_remedy(images, tmp_path, damage):
    with checkpoint_in(tmp_path):
        reconstructor().fit(images)
    file = tmp_path / "00-TinyReconstructor.pt"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=r"00-TinyReconstructor\.pt .*remove it"), checkpoint_in(tmp_path):
        reconstructor().fit(images)


def test_checkpoint_that_holds_code_is_not_run(images, tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "owned"),))

    torch.save({"fingerprint": Evil()}, tmp_path / "00-TinyReconstructor.pt")
    with pytest.raises(ValueError, match="remove it"), checkpoint_in(tmp_path):
        reconstructor().fit(images)
    assert not (tmp_path / "owned").exists()


def test_failed_write_leaves_the_last_checkpoint_and_no_litter(images, tmp_path, monkeypatch):
    with checkpoint_in(tmp_path):
        reconstructor(max_epochs=1).fit(images)
    before = (tmp_path / "00-TinyReconstructor.pt").read_bytes()

    def disk_full(path, content):
        with open(path, "wb") as file:
            file.write(content[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(WriteError, match="cannot be written, the disk is full"), checkpoint_in(tmp_path):
        reconstructor(max_epochs=2).fit(images)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def test_no_folder_writes_nothing(images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with checkpoint_in(None):
        reconstructor().fit(images)
    reconstructor().fit(images)
    assert list(tmp_path.iterdir()) == []


def test_process_killed_without_warning_resumes_in_another_process(tmp_path):
    X = make_check_images(7)
    script = (
        "import os, sys\n"
        "from skorch.callbacks import Callback\n"
        "from skad.training import checkpoint_in\n"
        "from skad.utils.estimator_checks.data import make_check_images\n"
        "from tests.tiny_estimators import TinyReconstructor\n"
        "class Die(Callback):\n"
        "    def on_epoch_begin(self, net, **kwargs):\n"
        "        if net.progress.epoch == 3:\n"
        "            os._exit(9)\n"
        "with checkpoint_in(sys.argv[1]):\n"
        "    TinyReconstructor(max_epochs=5, random_state=0, callbacks=[Die()]).fit(make_check_images(7))\n"
    )
    root = Path(__file__).parents[2]
    assert (
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=root, check=False).returncode == 9
    )
    with checkpoint_in(tmp_path):
        resumed = reconstructor().fit(X)
    assert torch.equal(weights(resumed), weights(reconstructor().fit(X)))
