"""Losses in TensorBoard and MLflow."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from skad.training import Training, monitored, seeded


def train(name="Net", epochs=3):
    """The curve of a small training."""
    X = np.random.default_rng(0).normal(size=(8, 2, 7, 9)).astype(np.float32)
    with seeded(0):
        module = torch.nn.Conv2d(2, 2, 3, padding=1)
        training = Training(name=name, max_epochs=epochs, batch_size=4, verbose=False)
        return training.fit(
            module,
            X,
            lambda module, images, _: {"loss": (module(images) - images).square().mean()},
            background=[0.0, 0.0],
        )["loss"]


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs tensorboard")
def test_every_training_is_a_run_of_tensorboard_with_its_losses(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with monitored([f"tensorboard={tmp_path}"]):
        curves = {"00-A": train("A"), "01-B": train("B", epochs=2)}
    assert {path.name for path in tmp_path.iterdir()} == {*curves}
    for run, curve in curves.items():
        events = EventAccumulator(str(tmp_path / run)).Reload()
        logged = [event.value for event in events.Scalars("Loss/train_loss")]
        np.testing.assert_allclose(logged, curve, rtol=1e-6)
    assert curves["00-A"] == train("A")  # unwatched


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs tensorboard")
def test_a_fit_without_a_network_is_told(tmp_path):
    with pytest.warns(UserWarning, match="No network was trained"), monitored([f"tensorboard={tmp_path}"]):
        pass


@pytest.mark.skipif(find_spec("mlflow") is None, reason="needs mlflow")
@pytest.mark.filterwarnings("default")  # mlflow's own
def test_every_training_is_a_run_of_mlflow_with_its_losses(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # no database for two runs
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    with monitored(["mlflow"]):
        curves = {"00-A": train("A"), "01-B": train("B", epochs=2)}
    mlflow.end_run()
    client = mlflow.MlflowClient()
    runs = {run.info.run_name: run for run in client.search_runs(["0"])}
    assert {*runs} == {*curves}
    for name, curve in curves.items():
        logged = [each.value for each in client.get_metric_history(runs[name].info.run_id, "train_loss")]
        np.testing.assert_allclose(logged, curve, rtol=1e-6)


@pytest.mark.parametrize(
    ("monitor", "told"),
    [
        ("skorch.callbacks.TensorBoard", "no monitor of trainings"),
        ("tensorbord=x", "did you mean tensorboard"),
        ("tensorboard", "needs a folder"),
        ("mlflow=x", "MLFLOW_TRACKING_URI"),
    ],
)
def test_only_known_monitors_can_be_named(monitor, told):
    with pytest.raises(ValueError, match=told), monitored([monitor]):
        pass
