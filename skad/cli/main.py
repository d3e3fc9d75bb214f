"""``skad``: what all commands have in common: exit codes, one line per mistake, no traceback."""

import argparse
import contextlib
import pkgutil
import sys
import warnings

from skad.cli.arguments import COMMANDS, SHARED
from skad.cli.interruption import Terminated, ended_by_signals
from skad.cli.parser import SHELLS, Parser, PrintCompletion
from skad.cli.terminal import feedback, json_output, record, shout, warn
from skad.utils.allocator import keep_freed_memory
from skad.utils.messages import one_line
from skad.version import __version__

OK, SOME_FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130


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
        reported in one line; 130 interrupted by Ctrl-C; 143 or 129 terminated by SIGTERM or SIGHUP.

    See Also
    --------
    skad.VolumeAnomalyDetector : The estimator behind ``skad fit`` and ``skad score``.

    Examples
    --------
    >>> from skad.cli.main import main
    >>> main(["fit", "nowhere", "--method", "adm", "--out", "adm.skad"])
    2
    """
    print_what_the_terminal_lacks()
    argv = sys.argv[1:] if argv is None else argv
    name = " ".join(["skad", *(each for each in argv[:1] if each in COMMANDS)])
    output = contextlib.nullcontext({})
    try:
        options = vars(parser().parse_args(argv))
        command = options.pop("command")
        if options.pop("json"):
            output = json_output(command)
        with output as result:
            told = {each: options.pop(each) for each in ("quiet", "verbose", "log")}
            with feedback(**told):
                code = run(name, function_of(command), options)
            result["exit_code"] = code
        return code
    except SystemExit as end:  # --help, --version and --print-completion
        return end.code or OK
    except ValueError as error:
        print(f"{name}: {one_line(error)}", file=sys.stderr)
        return MISTAKE


def parser():
    """The parser of all commands."""
    parser = Parser(
        "skad",
        "Find what does not belong in a medical image after seeing only normal ones.",
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
    """The exit code of a command; what goes wrong is told in one line.

    Parameters
    ----------
    name : str
        Of the command, for messages.
    function : str
        As of `call`.
    options : dict
        As of `call`.
    code_of : callable of an exception, default=always 2
        The exit code of a mistake.

    Returns
    -------
    int
    """
    try:
        keep_freed_memory()
        with warnings.catch_warnings(), ended_by_signals():
            warnings.showwarning = lambda message, *args, **kwargs: warn(message, name)
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
        workers = pkgutil.resolve_name("skad.cli.dask_cluster:dask_cluster")(address)
    with workers:
        return pkgutil.resolve_name(function)(**options)


def print_what_the_terminal_lacks():
    """Escape what a stream cannot show, as an accent where the locale is C, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
