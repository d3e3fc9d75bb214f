import logging

from skad.utils.progress import Progress


def test_every_item_is_a_line_with_the_time_that_is_left(caplog):
    with caplog.at_level(logging.INFO, "skad"), Progress("score", 2) as progress:
        progress.step("sub-01: peak 3")
        progress.step("sub-02: failed")
    first, second = caplog.messages
    assert first.startswith("score 1/2: sub-01: peak 3 (about ") and first.endswith(" left)")
    assert second.startswith("score 2/2: sub-02: failed (") and second.endswith(" in all)")
