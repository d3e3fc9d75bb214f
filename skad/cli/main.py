"""The parser, and what every command has in common: exit codes, one line per mistake, no traceback."""

import argparse
import contextlib
import pkgutil
import sys
import warnings

from skad.cli import arguments
from skad.cli.completion import SHELLS, PrintCompletion
from skad.cli.feedback import feedback, shout
from skad.cli.interruption import Terminated, ended_by_signals
from skad.cli.json_output import json_output, record, record_under
from skad.cli.parser import Parser
from skad.cli.strict import strictness
from skad.utils.allocator import keep_freed_memory
from skad.utils.messages import one_line
from skad.version import __version__

# The function of command NAME is skad.cli.NAME.NAME, imported when the command runs.
COMMANDS = {
    "quick": (arguments.quick, "a first map of a scan from the scan alone, in seconds"),
    "inspect": (arguments.inspect, "show what of a folder of scans is used, what not, and why"),
    "fit": (arguments.fit, "train a detector on the lesion-free slices of a folder of scans"),
    "tune": (arguments.tune, "choose a method's parameters without labels, and fit with them"),
    "calibrate": (arguments.calibrate, "promise a false-positive rate, from normal subjects"),
    "score": (arguments.score, "write the anomaly map of every subject of a folder"),
    "info": (arguments.info, "show what a detector is, and what it was made from"),
    "evaluate": (arguments.evaluate, "compare maps with lesion labels"),
    "report": (arguments.report, "show maps, tables and warnings in one HTML file"),
    "prepare": (arguments.prepare, "co-register scans, extract brains, correct bias fields"),
    "restore": (arguments.restore, "put maps of prepared scans onto the original scans"),
    "benchmark": (arguments.benchmark, "compare the methods of a study, with what they cost"),
    "demo": (arguments.demo, "do all of it on simulated brains"),
}
OK, SOME_FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130
LOADING = (
    "quick",
    "inspect",
    "prepare",
    "fit",
    "tune",
    "calibrate",
    "score",
    "evaluate",
    "report",
)  # folders of scans
EXAMPLES = {
    "quick": (
        "skad quick --image FLAIR=flair.nii.gz T1w=t1.nii.gz --out map.nii.gz",
        "skad quick scans/ --out maps/",
    ),
    "inspect": ("skad inspect scans/", "skad inspect scans/ --contrasts T1w FLAIR"),
    "fit": (
        "skad fit normal/ --out quick.skad",
        "skad fit normal/ --method adm --out adm.skad",
        "skad fit scans/ --method adm --out adm.skad --where fold=train",
    ),
    "tune": ("skad tune normal/ --method adm --out tuned.skad",),
    "calibrate": ("skad calibrate adm.skad more_normal/ --fpr 0.01 --out calibrated.skad",),
    "score": (
        "skad score calibrated.skad patients/ --out patients/derivatives/skad",
        "skad score calibrated.skad --image FLAIR=flair.nii.gz --out map.nii.gz",
    ),
    "info": ("skad info calibrated.skad",),
    "evaluate": ("skad evaluate maps/ patients/",),
    "report": ("skad report maps/ --scans patients/ --out report.html",),
    "prepare": ("skad prepare scans/ --out prepared/", "skad prepare scans/ --out prepared/ --mni 1"),
    "restore": ("skad restore maps/ prepared/ --out native/",),
    "benchmark": ("skad benchmark benchmarks/studies/phantom.toml --jobs 2",),
    "demo": ("skad demo --size tiny --out demo/",),
}


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
        options = vars(_parser().parse_args(argv))
        command = options.pop("command")
        if options.pop("json"):
            output = json_output(command)
        with output as result:
            told = {each: options.pop(each) for each in ("quiet", "verbose", "log")}
            with feedback(**told), strictness(options.pop("strict", False)):
                code = run(name, f"skad.cli.{command}:{command}", options)
            result["exit_code"] = code
        return code
    except SystemExit as end:  # --help, --version and --print-completion
        return end.code or OK
    except ValueError as error:
        print(f"{name}: {one_line(error)}", file=sys.stderr)
        return MISTAKE


def run(name, function, options, code_of=lambda error: MISTAKE):
    """The exit code of a command; what goes wrong is told in one line.

    Parameters
    ----------
    name : str
        Of the command, for messages.
    function : str
        ``"module:name"``, imported now.
    options : dict
        Its parameters; "cluster" is the address of a Dask scheduler or None.
    code_of : callable of an exception, default=always 2
        The exit code of a mistake.

    Returns
    -------
    int
    """
    try:
        keep_freed_memory()
        with warnings.catch_warnings(), ended_by_signals(), _workers(options.pop("cluster", None)):
            warnings.showwarning = _one_line_warning(name)
            return pkgutil.resolve_name(function)(**options)
    except KeyboardInterrupt:
        shout(f"{name}: interrupted; what is finished is kept, --resume goes on from there.")
        return INTERRUPTED
    except Terminated as end:
        shout(f"{name}: ended by {end}; what is finished is kept, --resume goes on from there.")
        return 128 + end.signum
    except (ValueError, OSError, MemoryError, RuntimeError, ImportError) as error:
        shout(f"{name}: {one_line(error)}")
        record(error=one_line(error))
        return code_of(error)


def _workers(address):
    """This machine's processes, or those of a Dask cluster, for what a command does in parallel."""
    if address is None:
        return contextlib.nullcontext()
    return pkgutil.resolve_name("skad.cli.cluster:cluster")(address)


def _parser():
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
    commands = {name: (purpose, EXAMPLES[name]) for name, (_, purpose) in COMMANDS.items()}
    for name, command in parser.add_commands(commands).items():
        COMMANDS[name][0](command)
        if name in LOADING:
            command.add_argument("--strict", action="store_true", help="what is not used is an error")
        _add_feedback(command)
    return parser


def _add_feedback(command):
    command.add_argument("--json", action="store_true", help="print one JSON object, messages to stderr")
    command.add_argument("--quiet", action="store_true", help="say nothing but warnings and errors")
    command.add_argument("--verbose", action="store_true", help="a line per epoch and subject, and details")
    command.add_argument("--log", metavar="FILE", help="add all messages, with dates, to this file")


def print_what_the_terminal_lacks():
    """Escape what a stream cannot show, as an accent where the locale is C, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _one_line_warning(name):
    def show(message, *args, **kwargs):
        text = one_line(ValueError(message))
        record_under("warnings", [text])
        shout(f"{name}: warning: {text}")

    return show
