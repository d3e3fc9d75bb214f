"""What is computed is not lost: training that was killed goes on and ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
import torch

import skad.training.checkpoint
from skad.cli import main
from skad.training.checkpoint import Checkpoint

EPOCHS = 24
SLOW = (
    f"--epochs {EPOCHS} --set reference__width=2 reference__n_blocks=0 reference__batch_size=2 "
    "score__width=2 score__n_components=2 score__batch_size=2 preprocessor__size=(24,24)"
).split()


def epochs_done(checkpoint):
    """Epochs in a checkpoint, 0 when there is none."""
    if not checkpoint.exists():
        return 0
    return len(torch.load(checkpoint, weights_only=True)["curves"]["loss"])


def stop(arguments, checkpoint, how):
    """Run ``skad`` in another process and stop it when about half of the epochs of a step are done."""
    command = [sys.executable, "-m", "skad", *map(str, arguments)]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
    ) as process:
        while epochs_done(checkpoint) < EPOCHS // 4:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(how)
        error = process.stderr.read()
    assert epochs_done(checkpoint) < EPOCHS, "the training was over before it could be stopped"
    return process.returncode, error


@pytest.fixture
def interrupted(cohort, tmp_path, run, monkeypatch):
    """The arguments of a fit that Ctrl-C ended after three epochs."""
    arguments = ["fit", cohort, "--method", "adm", "--out", tmp_path / "adm.skad", *SLOW]
    saved = []

    def save(checkpoint, state):
        Checkpoint.save(checkpoint, state)
        saved.append(state)
        if len(saved) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(skad.training.checkpoint, "Checkpoint", type("Killed", (Checkpoint,), {"save": save}))
        assert run(*arguments)[0] == 130
    return arguments


@pytest.fixture(scope="module")
def uninterrupted(cohort, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "adm.skad"
    assert main(["fit", str(cohort), "--method", "adm", "--out", str(path), *SLOW]) == 0
    return path.read_bytes()


@pytest.mark.parametrize("step", ["00-ContrastTranslator.pt", "01-JointDRGMM.pt"])
def test_a_killed_fit_resumes_to_the_weights_of_an_uninterrupted_one(
    step, cohort, uninterrupted, tmp_path, run
):
    out = tmp_path / "adm.skad"
    checkpoints = tmp_path / "adm.skad.checkpoints"
    arguments = ["fit", cohort, "--method", "adm", "--out", out, *SLOW]
    code, _ = stop(arguments, checkpoints / step, signal.SIGKILL)
    assert code == -signal.SIGKILL and not out.exists()
    assert run(*arguments, "--resume")[0] == 0
    assert out.read_bytes() == uninterrupted
    assert os.listdir(tmp_path) == ["adm.skad"]


def test_an_interrupted_fit_says_so_in_one_line_and_ends_with_130(cohort, tmp_path, run):
    checkpoints = tmp_path / "adm.skad.checkpoints"
    arguments = ["fit", cohort, "--method", "adm", "--out", tmp_path / "adm.skad", *SLOW]
    code, error = stop(arguments, checkpoints / "00-ContrastTranslator.pt", signal.SIGINT)
    assert code == 130
    assert [line for line in error.splitlines() if line.startswith("skad")] == [
        "skad fit: interrupted; finished work is kept; continue with --resume."
    ]
    assert not (tmp_path / "adm.skad").exists()


@pytest.mark.parametrize(
    ("other", "word"),
    [(["--seed", 1], "seed"), (["--epochs", 25], "epochs"), (["--contrasts", "T1w", "FLAIR"], "contrasts")],
)
def test_resuming_with_something_else_is_a_mistake_told_in_one_line(other, word, interrupted, tmp_path, run):
    code, _, err = run(*interrupted, "--resume", *other)
    assert code == 2
    (line,) = err
    assert f"belongs to a training with other {word}" in line
    assert line.endswith("resume with the same, or overwrite it (--overwrite).")


def test_an_unfinished_training_is_not_thrown_away_by_accident(interrupted, tmp_path, run):
    code, _, err = run(*interrupted)
    assert code == 2
    assert err == [
        f"skad fit: {tmp_path / 'adm.skad.checkpoints'} holds an unfinished training: resume it (--resume), "
        "or overwrite it (--overwrite)."
    ]
    assert run(*interrupted, "--overwrite")[0] == 0
    assert os.listdir(tmp_path) == ["adm.skad"]


def test_a_checkpoint_cut_short_is_named(interrupted, tmp_path, run):
    path = tmp_path / "adm.skad.checkpoints" / "00-ContrastTranslator.pt"
    path.write_bytes(path.read_bytes()[:100])
    code, _, err = run(*interrupted, "--resume")
    assert code == 2
    assert len(err) == 1 and str(path) in err[0]
