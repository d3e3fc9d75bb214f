"""What every command takes. Nothing heavy is imported, so that help and mistakes come at once.

Names and defaults that commands know are repeated here; a test compares them with their definitions.
"""

import argparse
from dataclasses import dataclass

from skad.utils.literals import python_value

METHODS = ("mixture", "ensemble", "adm", "introvae", "planted")  # skad.methods
SYSTEMS, SIZES = ("adm", "introvae"), ("small", "tiny")  # skad.demonstration
BRAINS = ("deepbet", "template")  # skad.preparation.brain
FAMILIES = ("foreign_patches", "blobs", "deformations", "lost_structure")  # skad.model_selection
TUNE_TABLE = "tune.csv"  # skad.persistence
VIEWERS = 10  # skad.report


@dataclass(frozen=True)
class Command:
    """A command: its function is skad.cli.NAME.NAME, imported when the command runs."""

    purpose: str  # one line of the help
    examples: tuple
    arguments: tuple  # of names and settings, as `argparse.ArgumentParser.add_argument` takes them


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
    return name.strip(), python_value(value.strip())


def arg(*names, **settings):
    """An argument as `Command` holds it, its help last; a default that is one value is told there."""
    *names, help = names
    default = settings.get("default")
    if isinstance(default, int | float):
        settings.setdefault("type", type(default))
    if isinstance(default, int | float | str):
        help = f"{help}; default: {default}"
    return tuple(names), settings | {"help": help}


def _flag(name, help):
    return arg(name, help, action="store_true")


def _many(name, metavar, help, default=(), **settings):
    return arg(name, help, nargs="+", metavar=metavar, default=default, **settings)


def _out(metavar, help):
    return arg("--out", help, required=True, metavar=metavar)


def _jobs(what):
    return arg("--jobs", f"subjects {what} at the same time; default: 1", type=int)


SCANS = arg("folder", "scans in BIDS, BraTS or ISLES layout")
SCANS_OR_IMAGE = arg("folder", "scans in BIDS, BraTS or ISLES layout; alternatively use --image", nargs="?")
DETECTOR = arg("detector", "file written by `skad fit` or `skad calibrate`")
CONTRASTS = _many(
    "--contrasts", "NAME", "contrasts to use, as T1w FLAIR; default: those all subjects have", default=None
)
WHERE = _many(
    "--where",
    "COLUMN=VALUE",
    "only participants with this value, as fold=train; A,B means either",
    type=condition,
)
STRICT = _flag("--strict", "make unused files an error")
IMAGE = _many(
    "--image",
    "NAME=FILE",
    "files of one patient, as FLAIR=flair.nii.gz T1w=t1.nii.gz",
    type=pair("NAME=FILE, for example FLAIR=flair.nii.gz"),
)
MASK = arg("--mask", "brain mask of the patient in --image; default: nonzero voxels", metavar="FILE")
MAP_OUT = _out("PATH", "output folder, or a .nii.gz file with the report beside it")
SEED = arg("--seed", "random seed", default=0)
DEVICE = arg("--device", "auto, cpu, cuda or cuda:N", default="auto")
DASK = arg("--dask", "run on the workers of this Dask scheduler", metavar="ADDRESS")
CALLBACK = _many("--callback", "NAME", "show loss curves in tensorboard=FOLDER or mlflow")
OVERWRITE = _flag("--overwrite", "replace existing files and restart")
NO_REPORT = arg("--no-report", "write no report.html", action="store_false", dest="report")
TRAINING = (
    CONTRASTS,
    WHERE,
    STRICT,
    _many(
        "--set",
        "STEP__PARAM=VALUE",
        "parameters, as score__n_components=4 or preprocessor__size=(64,64)",
        type=setting,
        dest="settings",
    ),
    arg("--epochs", "epochs of each step; default: that of the method", type=int),
    SEED,
    DEVICE,
)
FPR = arg("--fpr", "false-positive rate of the lesions; default: that of `skad calibrate`", type=float)
MIN_VOLUME = arg("--min-volume", "smallest lesion, mL", default=0.01)
SAVE_REFERENCE = _flag("--save-reference", "write the normal reference beside each map and show it")
FEEDBACK = (
    _flag("--quiet", "print only warnings and errors"),
    _flag("--verbose", "print a line per epoch and subject, and details"),
    arg("--log", "append all messages, with dates, to this file", metavar="FILE"),
)
SHARED = (_flag("--json", "print one JSON object; messages go to stderr"), *FEEDBACK)  # by every command

COMMANDS = {
    "quick": Command(
        "make a first map of a scan from the scan alone, in seconds",
        (
            "skad quick --image FLAIR=flair.nii.gz T1w=t1.nii.gz --out map.nii.gz",
            "skad quick scans/ --out maps/",
        ),
        (SCANS_OR_IMAGE, IMAGE, MASK, MAP_OUT, CONTRASTS, WHERE, STRICT, _jobs("scored")),
    ),
    "inspect": Command(
        "list the used and unused files of a folder of scans, with reasons",
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
                f"one of: {', '.join(METHODS)}; mixture trains in seconds",
                default="mixture",
                choices=METHODS,
            ),
            _out("FILE", "file of the detector, for example adm.skad"),
            *TRAINING,
            _jobs("read"),
            _flag("--on-disk", "keep the training slices on disk, not in memory"),
            CALLBACK,
            _flag("--resume", "continue an interrupted training"),
            OVERWRITE,
        ),
    ),
    "tune": Command(
        "select the parameters of a method without labels, and fit it",
        ("skad tune normal/ --method adm --out tuned.skad",),
        (
            arg("folder", "scans in BIDS, BraTS or ISLES layout; labeled slices are left out"),
            arg("--method", f"one of: {', '.join(METHODS)}", required=True),
            _out("FILE", f"file of the detector; {TUNE_TABLE} is written beside it"),
            arg("--grid", "lists of values to try; default: the grid of the method", metavar="FILE.toml"),
            _many(
                "--family",
                "NAME",
                f"synthetic lesions: {', '.join(FAMILIES)}; default: bright on FLAIR and T2",
                choices=FAMILIES,
            ),
            arg("--folds", "number of cross-validation folds", default=3),
            *TRAINING,
            arg("--jobs", "--n-jobs", "subjects read, or fits run, at the same time; default: 1", type=int),
            DASK,
            arg("--cache", "keep all fits here; default: beside --out, removed at the end", metavar="FOLDER"),
            CALLBACK,
            _flag("--resume", "continue an interrupted search"),
            OVERWRITE,
        ),
    ),
    "calibrate": Command(
        "set a threshold with a guaranteed false-positive rate",
        ("skad calibrate adm.skad more_normal/ --fpr 0.01 --out calibrated.skad",),
        (
            DETECTOR,
            arg("folder", "scans of normal subjects that were not used for training"),
            _out("FILE", "file of the calibrated detector"),
            arg(
                "--fpr",
                "false-positive rate, which needs at least 1 / FPR - 1 subjects; `skad score --fpr` can "
                "change it",
                default=0.01,
            ),
            arg(
                "--unit",
                "what the rate counts: pixel (share of a normal subject's voxels) or patient (normal "
                "subjects with any false positive)",
                default="pixel",
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
            arg("--labels", "lesion labels of the patient in --image, shown in the report", metavar="FILE"),
            *(MAP_OUT, WHERE, STRICT),
            *(FPR, MIN_VOLUME, DEVICE, _jobs("scored"), DASK),
            arg("--no-figures", "write no figures of the maps", action="store_false", dest="figures"),
            *(SAVE_REFERENCE, NO_REPORT),
            _flag("--resume", "keep existing maps of this detector and of unchanged scans"),
        ),
    ),
    "info": Command(
        "show contrasts, training, threshold and parameters of a detector",
        ("skad info calibrated.skad",),
        (DETECTOR,),
    ),
    "evaluate": Command(
        "compare maps with lesion labels",
        ("skad evaluate maps/ patients/",),
        (
            arg("maps", "folder written by `skad score`"),
            arg("folder", "the scans, with labels"),
            *(WHERE, STRICT),
            arg("--size-step", "width of the ranges of lesion size, pixels", default=200),
            *(_jobs("evaluated"), DASK, NO_REPORT),
        ),
    ),
    "report": Command(
        "show maps, tables and warnings in one HTML file",
        ("skad report maps/ --scans patients/ --out report.html",),
        (
            arg("maps", "folder written by `skad score`; tables of `skad evaluate` are included"),
            arg("--scans", "the scans, shown below the maps", metavar="FOLDER"),
            _out("FILE", "file of the report, for example report.html"),
            arg("--threshold", "scores above it are abnormal; default: that of `skad score`", type=float),
            arg(
                "--viewers",
                "number of subjects with their own page, highest peaks first, 2 to 10 MB each at 1 mm",
                default=VIEWERS,
            ),
            STRICT,
        ),
    ),
    "prepare": Command(
        "co-register scans, extract brains, correct bias fields",
        (
            "skad prepare scans/ --out prepared/",
            "skad prepare --image FLAIR=flair.nii.gz T1w=t1.nii.gz --out prepared/",
        ),
        (
            *(SCANS_OR_IMAGE, IMAGE),
            _out("FOLDER", "folder for the prepared scans"),
            *(CONTRASTS, WHERE, STRICT),
            arg("--to", "contrast that the others are registered to; default: the first", metavar="NAME"),
            arg("--brain", "brain extraction; existing masks are kept", default="deepbet", choices=BRAINS),
            arg("--masks", "your own masks, as hd-bet/{subject}_T1w_bet.nii.gz", metavar="PATTERN"),
            arg("--mni", "register patients to MNI space with voxels of MM mm", type=float, metavar="MM"),
            arg("--no-bias", "do not correct bias fields", action="store_false", dest="bias"),
            *(_jobs("prepared"), DASK),
            _flag("--resume", "skip subjects that are complete"),
            _flag("--overwrite", "replace existing subjects"),
        ),
    ),
    "restore": Command(
        "resample maps of prepared scans to the original scans",
        ("skad restore maps/ prepared/ --out native/",),
        (
            arg("maps", "folder written by `skad score` for prepared scans"),
            arg("prepared", "folder written by `skad prepare`"),
            _out("FOLDER", "folder for the maps"),
        ),
    ),
    "benchmark": Command(
        "compare the methods of a study, with their costs",
        ("skad benchmark benchmarks/studies/phantom.toml --jobs 2",),
        (
            arg("study", "TOML file with methods, cohorts and seeds", metavar="STUDY.toml"),
            arg("--data", "root of the study's folders; default: the folder of the file", metavar="FOLDER"),
            arg("--out", "folder for the results; default: STUDY-results", metavar="FOLDER"),
            arg("--jobs", "trainings at the same time", default=2),
            _many("--only", "METHOD", "run only these methods of the study", default=None),
            arg("--device", "cpu, cuda, cuda:1, ...; default: that of the study's budget"),
        ),
    ),
    "demo": Command(
        "run the whole chain on simulated brains",
        ("skad demo --size tiny --out demo/",),
        (
            _out("FOLDER", "folder for scans, detector, maps and figures"),
            arg("--size", "small takes minutes, tiny less than one", choices=SIZES, default="small"),
            arg(
                "--method",
                f"methods to compare; default: {' '.join(SYSTEMS)}",
                nargs="+",
                choices=SYSTEMS,
                default=SYSTEMS,
            ),
            *(SEED, DEVICE, _jobs("scored")),
            _flag("--overwrite", "replace an earlier demonstration"),
        ),
    ),
}
