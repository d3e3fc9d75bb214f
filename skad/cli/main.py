"""The parser, and what every command has in common: exit codes, one line per mistake, no traceback."""

import argparse
import sys
import warnings

from skad.cli import benchmark, calibrate, demo, evaluate, fit, report, score
from skad.cli.output import one_line
from skad.version import __version__

COMMANDS = {
    "fit": (fit.fit, fit.add_arguments, "train a detector on the lesion-free slices of a folder of scans"),
    "calibrate": (
        calibrate.calibrate,
        calibrate.add_arguments,
        "promise a false-positive rate, from normal subjects",
    ),
    "score": (score.score, score.add_arguments, "write the anomaly map of every subject of a folder"),
    "evaluate": (evaluate.evaluate, evaluate.add_arguments, "compare maps with lesion labels"),
    "report": (report.report, report.add_arguments, "show maps, tables and warnings in one HTML file"),
    "benchmark": (
        benchmark.benchmark,
        benchmark.add_arguments,
        "compare the methods of a study, with what they cost",
    ),
    "demo": (demo.demo, demo.add_arguments, "do all of it on simulated brains"),
}
OK, SOME_FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise ValueError(f"{message}; see `{self.prog} --help`.")


def main(argv=None):
    """Run ``skad``.

    Parameters
    ----------
    argv : list of str, default=None
        None takes the command line's.

    Returns
    -------
    int
        Exit code: 0 all done; 1 some subjects failed, the others are done; 2 a mistake of the user, told in
        one line; 130 interrupted.

    Examples
    --------
    >>> from skad.cli import main
    >>> main(["fit", "nowhere", "--method", "adm", "--out", "adm.skad"])
    2
    """
    name = "skad"
    try:
        arguments = vars(_parser().parse_args(argv))
        command = arguments.pop("command")
        name = f"skad {command}"
        with warnings.catch_warnings():
            warnings.showwarning = _one_line_warning(name)
            return COMMANDS[command][0](**arguments)
    except SystemExit as end:  # --help and --version
        return end.code or OK
    except KeyboardInterrupt:
        print(f"{name}: interrupted; what is finished is kept, --resume goes on from there.", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, MemoryError) as error:
        print(f"{name}: {one_line(error)}", file=sys.stderr)
        return MISTAKE


def _parser():
    parser = _Parser(
        "skad", description="Find what does not belong in a medical image after seeing only normal ones."
    )
    parser.add_argument("--version", action="version", version=f"skad {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join(COMMANDS))
    for name, (_, add_arguments, purpose) in COMMANDS.items():
        add_arguments(commands.add_parser(name, help=purpose, description=purpose))
    return parser


def _one_line_warning(name):
    def show(message, *args, **kwargs):
        print(f"{name}: warning: {one_line(ValueError(message))}", file=sys.stderr)

    return show
