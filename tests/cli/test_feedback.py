"""Where messages go, and what a signal or another run does to a command."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from skad.utils.locks import fcntl, locked

SCORE = ["--no-figures", "--no-report"]


def skad(*words, **settings):
    command = [sys.executable, "-m", "skad", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, **settings)


def test_without_a_terminal_every_subject_is_a_line_with_the_time_left(detector, cohort, tmp_path):
    done = skad("score", detector, cohort, "--out", tmp_path / "maps", *SCORE)
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and len(lines) == 3
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d score 1/3: sub-01: peak \S+, \d+ lesions \(about .* left\)", lines[0]
    )


def test_quiet_says_nothing_and_the_log_all(detector, cohort, tmp_path, run):
    log = tmp_path / "skad.log"
    options = [*SCORE, "--quiet", "--log", log]
    assert run("score", detector, cohort, "--out", tmp_path / "maps", *options) == (0, "", [])
    text = log.read_text()
    assert text.count("score ") >= 3 and "3 maps in" in text


def test_a_log_that_cannot_be_written_is_told(detector, cohort, tmp_path, run):
    code, _, err = run("score", detector, cohort, "--out", tmp_path / "maps", "--log", tmp_path / "no/x.log")
    assert code == 2 and len(err) == 1 and "--log" in err[0]


def test_a_terminal_that_shows_ascii_only_costs_nothing(detector, cohort, tmp_path):
    out = tmp_path / "d\u00e9partement"
    done = skad("score", detector, cohort, "--out", out, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert (out / "report.html").exists() and r"d\xe9partement" in done.stdout


@pytest.mark.skipif(fcntl is None, reason="no locks on this system")
def test_a_second_run_into_one_folder_is_refused(detector, cohort, tmp_path, run):
    maps = tmp_path / "maps"
    maps.mkdir()
    with locked(maps):
        code, _, err = run("score", detector, cohort, "--out", maps, *SCORE)
    assert code == 2 and len(err) == 1 and "is in use by another run of skad" in err[0]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
@pytest.mark.parametrize("signum", [signal.SIGTERM, getattr(signal, "SIGHUP", None)])
def test_a_signal_ends_a_run_in_one_line_and_leaves_nothing(signum, cohort, tmp_path):
    if signal.getsignal(signum) is signal.SIG_IGN:
        pytest.skip("the signal is ignored here, as under nohup, and so by the run")
    out = tmp_path / "adm.skad"
    words = [
        "fit",
        cohort,
        "--method",
        "adm",
        "--epochs",
        "10000",
        "--out",
        out,
        "--set",
        "reference__width=2",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "skad", *map(str, words)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        while not any(tmp_path.glob("adm.skad.checkpoints/[!.]*.pt")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signum)
        _, error = process.communicate(timeout=120)
    assert process.returncode == 128 + signum
    assert [line for line in error.splitlines() if line.startswith("skad")] == [
        f"skad fit: ended by {signal.Signals(signum).name}; finished work is kept; continue with --resume."
    ]
    checkpoints = tmp_path / "adm.skad.checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == [
        "00-ContrastTranslator.pt",
        "settings.json",
    ]


def test_a_training_that_was_saved_but_not_tidied_is_done(cohort, tmp_path, run, fast, monkeypatch):
    words = ["fit", cohort, "--method", "adm", "--out", tmp_path / "adm.skad", *fast]

    def killed(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("skad.persistence.resumable.Unfinished.remove", killed)
        assert run(*words)[0] == 130
    before = (tmp_path / "adm.skad").read_bytes()
    assert run(*words, "--resume")[0] == 0
    assert os.listdir(tmp_path) == ["adm.skad"] and (tmp_path / "adm.skad").read_bytes() == before


@pytest.mark.parametrize("words", [["info"], ["info", "--json"]])
def test_a_reader_who_leaves_ends_the_command_quietly(words, detector):
    code, error = unread([*words, detector])
    assert code == 141
    assert b"pipe" not in error and b"Traceback" not in error


def test_a_reader_who_leaves_the_help_is_told_nothing():
    assert unread(["--help"])[1] == b""


def unread(words):
    """Exit code and standard error of a command whose output nobody reads."""
    command = [sys.executable, "-m", "skad", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # as `head` does after its lines
        error = process.stderr.read()
    return process.returncode, error
