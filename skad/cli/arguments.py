"""What every command takes. Nothing of skad is imported, so that help and mistakes come at once.

Names of methods, sizes and lesion families are repeated here; a test compares them with their definitions.
"""

import argparse
import ast
from dataclasses import dataclass

METHODS = ("mixture", "ensemble", "adm", "introvae", "planted")  # skad.methods
SYSTEMS, SIZES = ("adm", "introvae"), ("small", "tiny")  # skad.cli.demo
BRAINS = ("deepbet", "template")  # skad.preparation.brain
FAMILIES = ("foreign_patches", "blobs", "deformations", "lost_structure")  # skad.model_selection
TUNE_TABLE = "tune.csv"
VIEWERS = 10  # subjects with a page in a report: beyond that a browser is slow to open the file


@dataclass(frozen=True)
class Command:
    """A command: its function is skad.cli.NAME.NAME, imported when the command runs.

    Attributes
    ----------
    purpose : str
        One line of the help.
    examples : tuple of str
    arguments : tuple of (tuple, dict)
        What `argparse.ArgumentParser.add_argument` takes.
    """

    purpose: str
    examples: tuple
    arguments: tuple


def pair(example):
    """The type of an argument ``NAME=VALUE``: the name and the text of the value.

    Examples
    --------
    >>> pair("NAME=FILE")("FLAIR=flair.nii.gz")
    ('FLAIR', 'flair.nii.gz')
    """

    def parsed(text):
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise argparse.ArgumentTypeError(f"{text} should look like {example}")
        return name, value

    return parsed


def condition(text):
    """A column and the values that will do.

    Examples
    --------
    >>> condition("fold=train"), condition("site=A,B")
    (('fold', ['train']), ('site', ['A,B', 'A', 'B']))
    """
    column, value = pair("column=value")(text)
    return column, [value, *value.split(",")] if "," in value else [value]


def setting(text):
    """A parameter and its value.

    Examples
    --------
    >>> setting("score__n_components=4"), setting("preprocessor__size=(64,64)"), setting("score__unit=pixel")
    (('score__n_components', 4), ('preprocessor__size', (64, 64)), ('score__unit', 'pixel'))
    """
    name, value = pair("step__parameter=value")(text)
    return name.strip(), value_of(value.strip())


def value_of(text):
    """A Python number, string, tuple, None, ...; what is none of these is text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def arg(*names, help, **settings):
    """An argument as `Command` holds it."""
    return names, settings | {"help": help}


def _flag(name, help, **settings):
    return arg(name, action="store_true", help=help, **settings)


def _many(name, metavar, help, **settings):
    return arg(name, nargs="+", metavar=metavar, help=help, **settings)


def _out(metavar, help):
    return arg("--out", required=True, metavar=metavar, help=help)


def _jobs(what):
    return arg("--jobs", type=int, help=f"subjects {what} at the same time; default: 1")


SCANS = arg("folder", help="scans in BIDS, BraTS or ISLES layout")
SCANS_OR_IMAGE = arg(
    "folder", nargs="?", help="scans in BIDS, BraTS or ISLES layout; or name files by --image"
)
MAPS = arg("maps", help="a folder of `skad score`")
DETECTOR = arg("detector", help="a file of `skad fit` or `skad calibrate`")
CONTRASTS = _many("--contrasts", "NAME", "for example T1w FLAIR; default: those all subjects have")
WHERE = _many(
    "--where",
    "COLUMN=VALUE",
    "only these participants, as fold=train; A,B: either",
    type=condition,
    default=[],
)
STRICT = _flag("--strict", "what is not used is an error")
IMAGE = _many(
    "--image",
    "NAME=FILE",
    "one patient, as FLAIR=flair.nii.gz T1w=t1.nii.gz",
    type=pair("NAME=FILE, for example FLAIR=flair.nii.gz"),
    default=[],
)
MASK = arg("--mask", metavar="FILE", help="brain mask of --image; default: voxels that are not 0")
MAP_OUT = _out("PATH", "a folder; or a .nii.gz file, with the report beside it")
SEED = arg("--seed", type=int, default=0, help="default: 0")
DEVICE = arg("--device", default="auto", help="auto, cpu, cuda, cuda:1; default: auto")
DASK = arg("--dask", metavar="ADDRESS", help="use the workers of this Dask scheduler")
OVERWRITE = _flag("--overwrite", "replace what is there, start anew")
NO_REPORT = arg("--no-report", action="store_false", dest="report", help="no report.html")
TRAINING = (
    CONTRASTS,
    WHERE,
    STRICT,
    _many(
        "--set",
        "STEP__PARAM=VALUE",
        "as score__n_components=4 or preprocessor__size=(64,64)",
        type=setting,
        default=[],
        dest="settings",
    ),
    arg("--epochs", type=int, help="epochs of every step; default: the method's"),
    SEED,
    DEVICE,
)
FPR = arg("--fpr", type=float, help="false-positive rate of the lesions; default: of `skad calibrate`")
MIN_VOLUME = arg("--min-volume", type=float, default=0.01, help="smallest lesion, mL; default: 0.01")
SAVE_REFERENCE = _flag("--save-reference", "write the normal reference beside each map, and show it")
FEEDBACK = (
    _flag("--quiet", "say nothing but warnings and errors"),
    _flag("--verbose", "a line per epoch and subject, and details"),
    arg("--log", metavar="FILE", help="add all messages, with dates, to this file"),
)
SHARED = (_flag("--json", "print one JSON object, messages to stderr"), *FEEDBACK)  # by every command

COMMANDS = {
    "quick": Command(
        "a first map of a scan from the scan alone, in seconds",
        (
            "skad quick --image FLAIR=flair.nii.gz T1w=t1.nii.gz --out map.nii.gz",
            "skad quick scans/ --out maps/",
        ),
        (SCANS_OR_IMAGE, IMAGE, MASK, MAP_OUT, CONTRASTS, WHERE, STRICT, _jobs("scored")),
    ),
    "inspect": Command(
        "show what of a folder of scans is used, what not, and why",
        ("skad inspect scans/", "skad inspect scans/ --contrasts T1w FLAIR"),
        (SCANS, CONTRASTS, WHERE, STRICT),
    ),
    "fit": Command(
        "train a detector on the lesion-free slices of a folder of scans",
        (
            "skad fit normal/ --out quick.skad",
            "skad fit normal/ --method adm --out adm.skad",
            "skad fit scans/ --method adm --out adm.skad --where fold=train",
        ),
        (
            SCANS,
            arg(
                "--method",
                default="mixture",
                choices=METHODS,
                metavar="METHOD",
                help=f"one of: {', '.join(METHODS)}; default: mixture, which trains in seconds",
            ),
            _out("FILE", "the detector, for example adm.skad"),
            *TRAINING,
            _jobs("read"),
            _flag("--on-disk", "keep the training slices on disk, not in memory"),
            _flag("--resume", "go on with an interrupted training"),
            OVERWRITE,
        ),
    ),
    "tune": Command(
        "choose a method's parameters without labels, and fit with them",
        ("skad tune normal/ --method adm --out tuned.skad",),
        (
            arg("folder", help="scans in BIDS, BraTS or ISLES layout; labeled slices are left out"),
            arg("--method", required=True, help=f"one of: {', '.join(METHODS)}"),
            _out("FILE", f"the detector; {TUNE_TABLE} lies beside it"),
            arg("--grid", metavar="FILE.toml", help="lists of values to try; default: the method's"),
            _many(
                "--family",
                "NAME",
                f"lesions to plant, of {', '.join(FAMILIES)}; default: all, mixed",
                choices=FAMILIES,
                default=[],
            ),
            arg("--folds", type=int, default=3, help="groups of subjects; default: 3"),
            *TRAINING,
            arg("--jobs", "--n-jobs", type=int, help="subjects read, fits at the same time; default: 1"),
            DASK,
            arg("--cache", metavar="FOLDER", help="keep all fits here; default: beside --out until the end"),
            _flag("--resume", "go on with an interrupted search"),
            OVERWRITE,
        ),
    ),
    "calibrate": Command(
        "promise a false-positive rate, from normal subjects",
        ("skad calibrate adm.skad more_normal/ --fpr 0.01 --out calibrated.skad",),
        (
            arg("detector", help="a file of `skad fit`"),
            arg("folder", help="scans of normal subjects that the detector has not learned from"),
            _out("FILE", "the calibrated detector"),
            arg(
                "--fpr",
                type=float,
                default=0.01,
                help="false-positive rate, which needs 1 / FPR - 1 subjects; `skad score --fpr` may ask for "
                "another; default: 0.01",
            ),
            arg(
                "--unit",
                default="pixel",
                help="what the rate counts: pixel (share of a normal subject's voxels) or volume (normal "
                "subjects with any false positive); default: pixel",
            ),
            *(WHERE, STRICT, DEVICE, _jobs("scored"), DASK, OVERWRITE),
        ),
    ),
    "score": Command(
        "write the anomaly map of every subject of a folder",
        (
            "skad score calibrated.skad patients/ --out patients/derivatives/skad",
            "skad score calibrated.skad --image FLAIR=flair.nii.gz --out map.nii.gz",
        ),
        (
            *(DETECTOR, SCANS_OR_IMAGE, IMAGE, MASK),
            arg("--labels", metavar="FILE", help="lesions of --image, to be shown in the report"),
            *(MAP_OUT, WHERE, STRICT),
            *(FPR, MIN_VOLUME, DEVICE, _jobs("scored"), DASK),
            arg("--no-figures", action="store_false", dest="figures", help="no picture of every map"),
            *(SAVE_REFERENCE, NO_REPORT),
            _flag("--resume", "keep the maps of this detector that are there"),
        ),
    ),
    "info": Command(
        "show what a detector is, and what it was made from", ("skad info calibrated.skad",), (DETECTOR,)
    ),
    "evaluate": Command(
        "compare maps with lesion labels",
        ("skad evaluate maps/ patients/",),
        (
            MAPS,
            arg("folder", help="the same scans, with labels"),
            *(WHERE, STRICT),
            arg(
                "--size-step",
                type=int,
                default=200,
                help="width of a lesion size range, pixels; default: 200",
            ),
            NO_REPORT,
        ),
    ),
    "report": Command(
        "show maps, tables and warnings in one HTML file",
        ("skad report maps/ --scans patients/ --out report.html",),
        (
            arg("maps", help="a folder of `skad score`; tables of `skad evaluate` are shown too"),
            arg("--scans", metavar="FOLDER", help="the scans, to lie under the maps"),
            _out("FILE", "the report, such as report.html"),
            arg(
                "--threshold", type=float, help="scores above it are abnormal; default: that of `skad score`"
            ),
            arg(
                "--viewers",
                type=int,
                default=VIEWERS,
                help="subjects with a page of their own, highest peaks first, 2 to 10 MB each at 1 mm; "
                f"default: {VIEWERS}",
            ),
            STRICT,
        ),
    ),
    "prepare": Command(
        "co-register scans, extract brains, correct bias fields",
        ("skad prepare scans/ --out prepared/", "skad prepare scans/ --out prepared/ --mni 1"),
        (
            arg("folder", help="scans in BIDS, BraTS or ISLES layout, as they come"),
            _out("FOLDER", "where the prepared scans go"),
            *(CONTRASTS, WHERE, STRICT),
            arg("--to", metavar="NAME", help="the contrast that stays in place; default: the first"),
            arg(
                "--brain",
                default="deepbet",
                choices=BRAINS,
                help="how brains are found; default: deepbet; masks of the scans are kept",
            ),
            arg("--masks", metavar="PATTERN", help="your masks, as hd-bet/{subject}_T1w_bet.nii.gz"),
            arg("--mni", type=float, metavar="MM", help="move patients to MNI space, voxels of MM mm"),
            arg("--no-bias", action="store_false", dest="bias", help="do not correct bias fields"),
            *(_jobs("prepared"), DASK),
            _flag("--resume", "keep the subjects that are complete"),
            _flag("--overwrite", "replace the subjects that are there"),
        ),
    ),
    "restore": Command(
        "put maps of prepared scans onto the original scans",
        ("skad restore maps/ prepared/ --out native/",),
        (
            arg("maps", help="a folder of `skad score` on prepared scans"),
            arg("prepared", help="the folder of `skad prepare`"),
            _out("FOLDER", "where the maps go"),
        ),
    ),
    "benchmark": Command(
        "compare the methods of a study, with what they cost",
        ("skad benchmark benchmarks/studies/phantom.toml --jobs 2",),
        (
            arg("study", metavar="STUDY.toml", help="which methods, cohorts and seeds"),
            arg("--data", metavar="FOLDER", help="of the study's folders; default: where the file is"),
            arg("--out", metavar="FOLDER", help="for the results; default: STUDY-results"),
            arg("--jobs", type=int, default=2, help="trainings at the same time; default: 2"),
            _many("--only", "METHOD", "run only these methods of the study"),
            arg("--device", help="cpu, cuda, cuda:1, ...; default: that of the study's budget"),
        ),
    ),
    "demo": Command(
        "do all of it on simulated brains",
        ("skad demo --size tiny --out demo/",),
        (
            _out("FOLDER", "where scans, detector, maps and pictures go"),
            arg("--size", choices=SIZES, default="small", help="small: minutes; tiny: less than one"),
            arg(
                "--method",
                nargs="+",
                choices=SYSTEMS,
                default=SYSTEMS,
                help=f"side by side; default: {' '.join(SYSTEMS)}",
            ),
            *(SEED, DEVICE, _jobs("scored")),
            _flag("--overwrite", "replace an earlier demonstration"),
        ),
    ),
}
