"""``skad-bids``: the call that platforms for BIDS Apps make, in front of ``skad score`` and its report.

Nothing heavy is imported, so that help and mistakes come at once; `skad.bids_app.levels` does the work.
"""

import pkgutil
import sys

from skad.cli.arguments import DEVICE, FEEDBACK, FPR, MIN_VOLUME, SAVE_REFERENCE, WHERE
from skad.cli.main import ended, run
from skad.cli.parser import Parser
from skad.cli.terminal import feedback, shout
from skad.utils.messages import one_line
from skad.utils.names import check_name
from skad.version import __version__

NAME = "skad-bids"
LEVELS = ("participant", "group")
UNKNOWN_LEVEL, USAGE = 17, 64
EXIT_CODES = """exit codes (those that the BIDS execution specification recommends):
  0 done; 1 some participants failed; 16 not a BIDS dataset; 17 unknown analysis level;
  18 no such participant or session; 64 a mistake in the call; 65 all participants failed;
  66 an input is missing; 73, 74 the output cannot be written; 75 another run is busy there"""


def main(argv=None):
    """Run ``skad-bids``.

    Parameters
    ----------
    argv : list of str, default=None
        None takes the command line's.

    Returns
    -------
    int
        Exit code, one of those that the BIDS execution specification recommends; 130, 143 or 129 where a
        signal ended the run.

    See Also
    --------
    skad.VolumeAnomalyDetector.score_cohort : Scores the scans of a folder, in Python.

    References
    ----------
    Gorgolewski et al., BIDS apps: Improving ease of use, accessibility, and reproducibility of neuroimaging
    data analysis methods, PLOS Computational Biology 13(3), 2017. BIDS execution specification (draft),
    section "Exit codes".

    Examples
    --------
    >>> from skad.bids_app import main
    >>> main(["study", "maps", "session", "--model", "adm.skad"])
    17
    """
    return ended(NAME, lambda: _main(sys.argv[1:] if argv is None else argv), mistake=USAGE)


def _main(argv):
    options = vars(_parser().parse_args(argv))
    level = options.pop("analysis_level")
    told = {each: options.pop(each) for each in ("quiet", "verbose", "log")}
    try:
        check_name(level, LEVELS, "analysis level")
    except ValueError as error:
        shout(f"{NAME}: {one_line(error)}")
        return UNKNOWN_LEVEL
    with feedback(**told):
        return run(NAME, f"skad.bids_app.levels:{level}", options, code_of=_code_of)


def _code_of(error):
    return pkgutil.resolve_name("skad.bids_app.levels:exit_code")(error)


def _parser():
    parser = Parser(
        NAME,
        "Write anomaly maps of a BIDS dataset (a BIDS App). At the level participant, several runs with\n"
        "different participants may share an output; group then writes the tables and the report.",
    )
    parser.epilog = EXIT_CODES
    add = parser.add_argument
    add("bids_dir", help="the BIDS dataset")
    add("output_dir", help="a BIDS derivative; for group, the one that participant has filled")
    add("analysis_level", metavar="{participant,group}", help="level of the analysis")
    add("--model", required=True, metavar="FILE", help="file written by `skad fit` or `skad calibrate`")
    add(
        "--participant-label",
        "--participant_label",
        nargs="+",
        metavar="LABEL",
        help="only these, with or without sub-; default: all",
    )
    add(
        "--session-label",
        "--session_label",
        nargs="+",
        metavar="LABEL",
        help="only these, with or without ses-; default: all",
    )
    for names, settings in (WHERE, FPR, MIN_VOLUME, SAVE_REFERENCE, DEVICE):
        add(*names, **settings)
    add("--jobs", "--n_cpus", type=int, help="participants processed at the same time; default: 1")
    add(
        "--skip-bids-validation",
        "--skip_bids_validator",
        action="store_true",
        help="accepted and ignored: no validator is run",
    )
    for names, settings in FEEDBACK:
        add(*names, **settings)
    add("-v", "--version", action="version", version=f"{NAME} {__version__}")
    return parser
