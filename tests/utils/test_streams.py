"""What is printed goes where it should, and ends quietly where nobody reads."""

import io
import subprocess
import sys

import pytest

from skad.utils.streams import READER_LEFT, escape_unprintable, reader_may_leave, to_standard_error


def test_what_is_printed_goes_to_standard_error_also_by_other_processes(capfd):
    with to_standard_error():
        print("here")
        subprocess.run([sys.executable, "-c", "print('there')"], check=True)
    print("after")
    out, err = capfd.readouterr()
    assert (out.split(), err.split()) == (["after"], ["here", "there"])


def test_a_reader_who_leaves_is_an_exit_code_and_no_error():
    with pytest.raises(SystemExit) as end, reader_may_leave():
        raise BrokenPipeError
    assert end.value.code == READER_LEFT == 128 + 13  # SIGPIPE


def test_other_errors_pass():
    with pytest.raises(OSError, match="disk"), reader_may_leave():
        raise OSError("disk")


def test_what_a_terminal_lacks_is_escaped(monkeypatch):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="ascii"))
    escape_unprintable()
    print("\u00e9", end="", flush=True)
    assert printed.getvalue() == rb"\xe9"
