"""``skad``: what all commands have in common: exit codes, one line per mistake, no traceback."""

import argparse
import contextlib
import pkgutil
import sys
import warnings

from skad.cli.arguments import COMMANDS, SHARED
from skad.cli.parser import SHELLS, Parser, PrintCompletion
from skad.cli.terminal import feedback, json_output, record, shout, speaking_as, warn
from skad.utils.allocator import keep_freed_memory
from skad.utils.interruption import Terminated, ended_by_signals
from skad.utils.messages import one_line
from skad.utils.ranks import is_main_process
from skad.utils.streams import escape_unprintable, reader_may_leave
from skad.version import __version__

OK, MISTAKE, INTERRUPTED = 0, 2, 130


def main(argv=None):
    """Run the command ``skad``.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None takes those of the command line.

    Returns
    -------
    int
        Exit code: 0 success; 1 some subjects failed, all others are done; 2 invalid arguments or input,
        reported in one line; 130 interrupted by Ctrl-C; 143 or 129 terminated by SIGTERM or SIGHUP; 141 where
        who reads the output has left, as after ``| head``.

    See Also
    --------
    skad.VolumeAnomalyDetector : The estimator behind ``skad fit`` and ``skad score``.

    Examples
    --------
    >>> from skad.cli.main import main
    >>> main(["fit", "nowhere", "--method", "adm", "--out", "adm.skad"])
    2
    """
    argv = sys.argv[1:] if argv is None else argv
    name = " ".join(["skad", *(each for each in argv[:1] if each in COMMANDS)])
    return ended(name, lambda: _main(name, argv))


def _main(name, argv):
    options = vars(parser().parse_args(argv))
    command = options.pop("command")
    told = {each: options.pop(each) for each in ("quiet", "verbose", "log")}
    if not is_main_process():  # one process speaks for all that train together
        told |= {"quiet": True, "log": None}
        options["json"] = False
    with json_output(command) if options.pop("json") else contextlib.nullcontext({}) as result:
        with feedback(**told):
            code = run(name, function_of(command), options)
        result["exit_code"] = code
    return code


def ended(name, program, mistake=MISTAKE):
    """The exit code of ``program()``, whatever way it ends; `mistake` is that of a ValueError."""
    escape_unprintable()
    try:
        with reader_may_leave():
            try:
                return program()
            finally:
                sys.stdout.flush()
    except SystemExit as end:  # --help, --version, --print-completion, or nobody reads any more
        return end.code or OK
    except ValueError as error:
        shout(f"{name}: {one_line(error)}")
        return mistake


def parser():
    """The parser of all commands."""
    parser = Parser(
        "skad",
        "Unsupervised anomaly detection for medical images.",
        ["skad demo --size tiny --out demo/", "skad fit --help"],
    )
    parser.add_argument("--version", action="version", version=f"skad {__version__}")
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        default=argparse.SUPPRESS,
        choices=SHELLS,
        help='for the shell: eval "$(skad --print-completion bash)"',
    )
    parser.add_commands(COMMANDS, SHARED)
    return parser


def function_of(command):
    """Where the function of a command is defined."""
    return f"skad.cli.{command}:{command}"


def run(name, function, options, code_of=lambda error: MISTAKE):
    """The exit code of a command; what goes wrong is told in one line, and its code is ``code_of(error)``.

    The function and its options are those of `call`; the name begins every message.
    """
    try:
        keep_freed_memory()
        with warnings.catch_warnings(), ended_by_signals(), speaking_as(name):
            warnings.showwarning = lambda message, *args, **kwargs: warn(message)
            return call(function, options)
    except KeyboardInterrupt:
        shout(f"{name}: interrupted; finished work is kept; continue with --resume.")
        return INTERRUPTED
    except Terminated as end:
        shout(f"{name}: ended by {end}; finished work is kept; continue with --resume.")
        return 128 + end.signum
    except (ValueError, OSError, MemoryError, RuntimeError, ImportError) as error:
        shout(f"{name}: {one_line(error)}")
        record(error=one_line(error))
        return code_of(error)


def call(function, options):
    """The exit code of a function ``"module:name"``, which is imported now.

    Its parameters are `options`, except for "dask", the address of a cluster that works in parallel.
    """
    workers = contextlib.nullcontext()
    if (address := options.pop("dask", None)) is not None:
        workers = pkgutil.resolve_name("skad.utils.dask_cluster:dask_cluster")(address)
    with workers:
        return pkgutil.resolve_name(function)(**options)
