"""What commands say, and how."""

from skad.cli.feedback import say, shout
from skad.cli.json_output import record_under
from skad.utils import tables
from skad.utils.messages import one_line

REPORT = "report.html"


def tell(text):
    """Say what is done, at once even when a file listens."""
    say(text)
    record_under("messages", [text])


def complain(command, errors):
    """One line per subject that failed."""
    for subject, error in errors.items():
        shout(f"skad {command}: {subject}: {one_line(error)}")
    record_under("errors", {subject: one_line(error) for subject, error in errors.items()})


def write_table(rows, path, columns=()):
    """Write a table as CSV, and into the object of ``--json``."""
    tables.write_table(rows, path, columns)
    record_under("tables", {path.as_posix(): rows})
