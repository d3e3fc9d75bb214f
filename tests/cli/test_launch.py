"""``skad fit`` as several processes: one speaks and writes, and an interrupted training goes on."""

import os
import signal
import subprocess
import sys
import time

import pytest

from skad import load

LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_two_processes_speak_once_and_resume_what_was_interrupted(cohort, fast, tmp_path):
    model, log = tmp_path / "m.skad", tmp_path / "log"
    arguments = [*fast, "--epochs", "40", "--method", "adm", "--out", str(model), "--device", "cpu"]
    command = [*LAUNCH, "-m", "--", "skad", "fit", str(cohort), *arguments]
    with subprocess.Popen([*command, "--log", str(log)], stderr=subprocess.DEVNULL) as process:
        while not (log.exists() and "epoch 2 of 40" in log.read_text()):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
    assert not model.exists()
    told = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=True)
    assert "epoch 40 of 40" in told.stderr and "epoch 1 of 40" not in told.stderr.partition("JointDRGMM")[0]
    assert told.stdout.count("learned from") == 1
    assert len(load(model).pipeline_[0].loss_curve_) == 40
