"""Messages of a run: which of them are shown, and where."""

import logging

import pytest

from skad.utils.logs import messages

logger = logging.getLogger("skad.somewhere")


def lines(text):
    """The messages without the time before each."""
    return [line.split(" ", 1)[1] for line in text.splitlines()]


def test_without_a_terminal_a_message_is_a_line_on_standard_error(capsys):
    with messages():
        logger.info("score 1/2")
        logger.debug("a detail")
    logger.info("after the block")
    assert lines(capsys.readouterr().err) == ["score 1/2"]


def test_details_are_shown_on_request(capsys):
    with messages(verbose=True):
        logger.debug("a detail")
    assert lines(capsys.readouterr().err) == ["a detail"]


def test_the_file_gets_all_also_of_a_quiet_run_and_what_is_printed_already(tmp_path, capsys):
    path = tmp_path / "skad.log"
    path.write_text("an earlier run\n")
    with messages(quiet=True, log=path, without="skad.somewhere"):
        logger.info("score 1/2")
    text = path.read_text()
    assert text.startswith("an earlier run\n") and text.endswith(" score 1/2\n")
    assert capsys.readouterr().err == ""


def test_what_is_printed_already_is_not_shown_again(capsys):
    with messages(without="skad.somewhere"):
        logger.info("printed")
        logging.getLogger("skad.elsewhere").info("shown")
    assert lines(capsys.readouterr().err) == ["shown"]


def test_the_logger_is_left_as_it_was():
    skad = logging.getLogger("skad")
    before = skad.level, list(skad.handlers)
    with pytest.raises(KeyboardInterrupt), messages(verbose=True):
        raise KeyboardInterrupt
    assert (skad.level, list(skad.handlers)) == before


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with (
        pytest.raises(ValueError, match=r"no/skad\.log cannot be written"),
        messages(log=tmp_path / "no/skad.log"),
    ):
        pass
