"""What every command takes. Nothing of skad is imported, so that help and mistakes come at once.

Names of methods, sizes and lesion families are repeated here; a test compares them with their definitions.
"""

METHODS = ("mixture", "ensemble", "adm", "introvae", "planted")  # skad.cli.methods
SYSTEMS, SIZES = ("adm", "introvae"), ("small", "tiny")  # skad.cli.demo
BRAINS = ("deepbet", "template")  # skad.preparation.brain
FAMILIES = (
    "foreign_patches",
    "blobs",
    "deformations",
    "lost_structure",
)  # skad.model_selection.pseudo_anomaly
TUNE_TABLE = "tune.csv"
VIEWERS = 10  # subjects with a page in a report: beyond that a browser is slow to open the file


def add_training_arguments(parser):
    """What `skad fit` and `skad tune` both take: which scans, and how to train on them."""
    parser.add_argument(
        "--contrasts",
        nargs="+",
        metavar="NAME",
        help="for example T1w FLAIR; default: those all subjects have",
    )
    parser.add_argument(
        "--where",
        nargs="+",
        default=[],
        metavar="COLUMN=VALUE",
        help="only these participants, as fold=train; A,B: either",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        dest="settings",
        metavar="STEP__PARAM=VALUE",
        help="as score__n_components=4 or preprocessor__size=(64,64)",
    )
    parser.add_argument("--epochs", type=int, help="epochs of every step; default: the method's")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1; default: auto")


def inspect(parser):
    """Declare what ``skad inspect`` takes."""
    parser.add_argument("folder", help="scans in BIDS, BraTS or ISLES layout")
    parser.add_argument(
        "--contrasts", nargs="+", metavar="NAME", help="those to use; default: those all subjects have"
    )
    parser.add_argument(
        "--where", nargs="+", default=[], metavar="COLUMN=VALUE", help="only these participants; A,B: either"
    )


def quick(parser):
    """Declare what ``skad quick`` takes."""
    parser.add_argument(
        "folder", nargs="?", help="scans in BIDS, BraTS or ISLES layout; or name files by --image"
    )
    parser.add_argument(
        "--image", nargs="+", default=[], metavar="NAME=FILE", help="as FLAIR=flair.nii.gz T1w=t1.nii.gz"
    )
    parser.add_argument(
        "--mask", metavar="FILE", help="brain mask of --image; default: voxels that are not 0"
    )
    parser.add_argument(
        "--out", required=True, metavar="PATH", help="a folder; or a .nii.gz file, with the report beside it"
    )
    parser.add_argument("--contrasts", nargs="+", metavar="NAME", help="default: those all subjects have")
    parser.add_argument(
        "--where", nargs="+", default=[], metavar="COLUMN=VALUE", help="only these participants; A,B: either"
    )
    parser.add_argument("--jobs", type=int, help="subjects at the same time; default: 1")


def fit(parser):
    """Declare what ``skad fit`` takes."""
    parser.add_argument("folder", help="scans in BIDS, BraTS or ISLES layout")
    parser.add_argument(
        "--method",
        default="mixture",
        choices=METHODS,
        metavar="METHOD",
        help=f"one of: {', '.join(METHODS)}; default: mixture, which trains in seconds",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="the detector, for example adm.skad")
    add_training_arguments(parser)
    parser.add_argument("--jobs", type=int, help="subjects read at the same time; default: 1")
    parser.add_argument(
        "--on-disk", action="store_true", help="keep the training slices on disk, not in memory"
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted training")
    parser.add_argument("--overwrite", action="store_true", help="replace the file, start training anew")


def tune(parser):
    """Declare what ``skad tune`` takes."""
    parser.add_argument("folder", help="scans in BIDS, BraTS or ISLES layout; labeled slices are left out")
    parser.add_argument("--method", required=True, help=f"one of: {', '.join(METHODS)}")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help=f"the detector; {TUNE_TABLE} lies beside it"
    )
    parser.add_argument("--grid", metavar="FILE.toml", help="lists of values to try; default: the method's")
    parser.add_argument(
        "--family",
        nargs="+",
        default=[],
        choices=FAMILIES,
        metavar="NAME",
        help=f"lesions to plant, of {', '.join(FAMILIES)}; default: all, mixed",
    )
    parser.add_argument("--folds", type=int, default=3, help="groups of subjects; default: 3")
    add_training_arguments(parser)
    parser.add_argument(
        "--n-jobs", "--jobs", type=int, metavar="N", help="subjects read, fits at the same time; default: 1"
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="fit on the workers of this Dask scheduler")
    parser.add_argument(
        "--cache", metavar="FOLDER", help="keep all fits here; default: beside --out until the end"
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted search")
    parser.add_argument("--overwrite", action="store_true", help="replace the files, start the search anew")


def calibrate(parser):
    """Declare what ``skad calibrate`` takes."""
    parser.add_argument("detector", help="a file of `skad fit`")
    parser.add_argument("folder", help="scans of normal subjects that the detector has not learned from")
    parser.add_argument("--out", required=True, metavar="FILE", help="the calibrated detector")
    parser.add_argument(
        "--fpr",
        type=float,
        default=0.01,
        help="false-positive rate, which needs 1 / FPR - 1 subjects; `skad score --fpr` may ask for "
        "another; default: 0.01",
    )
    parser.add_argument(
        "--unit",
        default="pixel",
        help="what the rate counts: pixel (share of a normal subject's voxels) or volume (normal subjects "
        "with any false positive); default: pixel",
    )
    parser.add_argument(
        "--where", nargs="+", default=[], metavar="COLUMN=VALUE", help="only these participants; A,B: either"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1; default: auto")
    parser.add_argument("--jobs", type=int, help="subjects scored at the same time; default: 1")
    _add_cluster(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace the file")


def score(parser):
    """Declare what ``skad score`` takes."""
    parser.add_argument("detector", help="a file of `skad fit` or `skad calibrate`")
    parser.add_argument("folder", nargs="?", help="scans in BIDS, BraTS or ISLES layout, or one subject")
    parser.add_argument(
        "--image",
        nargs="+",
        default=[],
        metavar="NAME=FILE",
        help="one patient: FLAIR=flair.nii.gz T1w=t1.nii",
    )
    parser.add_argument("--mask", metavar="FILE", help="brain mask of --image")
    parser.add_argument("--labels", metavar="FILE", help="lesions of --image, to be shown in the report")
    parser.add_argument(
        "--out", required=True, metavar="PATH", help="a folder; or a .nii.gz file, with the report beside it"
    )
    parser.add_argument(
        "--where", nargs="+", default=[], metavar="COLUMN=VALUE", help="only these participants; A,B: either"
    )
    parser.add_argument(
        "--fpr", type=float, help="false-positive rate of the lesions; default: that of `skad calibrate`"
    )
    parser.add_argument("--min-volume", type=float, default=0.01, help="smallest lesion, mL; default: 0.01")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1; default: auto")
    parser.add_argument("--jobs", type=int, help="subjects scored at the same time; default: 1")
    _add_cluster(parser)
    parser.add_argument("--no-figures", action="store_false", dest="figures", help="no picture of every map")
    parser.add_argument(
        "--save-reference",
        action="store_true",
        help="write the normal reference beside each map, and show it in the report",
    )
    parser.add_argument("--no-report", action="store_false", dest="report", help="no report.html")
    parser.add_argument("--resume", action="store_true", help="keep the maps of this detector that are there")


def info(parser):
    """Declare what ``skad info`` takes."""
    parser.add_argument("detector", help="a file of `skad fit` or `skad calibrate`")


def evaluate(parser):
    """Declare what ``skad evaluate`` takes."""
    parser.add_argument("maps", help="a folder of `skad score`")
    parser.add_argument("folder", help="the same scans, with labels")
    parser.add_argument(
        "--where", nargs="+", default=[], metavar="COLUMN=VALUE", help="only these participants; A,B: either"
    )
    parser.add_argument(
        "--size-step", type=int, default=200, help="width of a lesion size range, pixels; default: 200"
    )
    parser.add_argument("--no-report", action="store_false", dest="report", help="tables and curves only")


def report(parser):
    """Declare what ``skad report`` takes."""
    parser.add_argument("maps", help="a folder of `skad score`; tables of `skad evaluate` are shown too")
    parser.add_argument("--scans", metavar="FOLDER", help="the scans, to lie under the maps")
    parser.add_argument("--out", required=True, metavar="FILE", help="the report, such as report.html")
    parser.add_argument(
        "--threshold", type=float, help="scores above it count as abnormal; default: that of `skad score`"
    )
    parser.add_argument(
        "--viewers",
        type=int,
        default=VIEWERS,
        help="subjects with a page of their own, highest peaks first, 2 to 10 MB each at 1 mm; "
        f"default: {VIEWERS}",
    )


def benchmark(parser):
    """Declare what ``skad benchmark`` takes."""
    parser.add_argument("study", metavar="STUDY.toml", help="which methods, cohorts and seeds")
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="what the study's folders are relative to; default: where the file is",
    )
    parser.add_argument("--out", metavar="FOLDER", help="for the results; default: STUDY-results")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at the same time; default: 2")
    parser.add_argument("--only", nargs="+", metavar="METHOD", help="run only these methods of the study")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; default: that of the study's budget")


def demo(parser):
    """Declare what ``skad demo`` takes."""
    parser.add_argument(
        "--out", required=True, metavar="FOLDER", help="where scans, detector, maps and pictures go"
    )
    parser.add_argument("--size", choices=SIZES, default="small", help="small: minutes; tiny: less than one")
    parser.add_argument(
        "--method",
        nargs="+",
        choices=SYSTEMS,
        default=list(SYSTEMS),
        help=f"side by side; default: {' '.join(SYSTEMS)}",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1; default: auto")
    parser.add_argument("--jobs", type=int, help="subjects at the same time; default: 1")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier demonstration")


def prepare(parser):
    """Declare what ``skad prepare`` takes."""
    parser.add_argument("folder", help="scans in BIDS, BraTS or ISLES layout, as they come")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the prepared scans go")
    parser.add_argument("--contrasts", nargs="+", metavar="NAME", help="default: those all subjects have")
    parser.add_argument(
        "--where", nargs="+", default=[], metavar="COLUMN=VALUE", help="only these participants; A,B: either"
    )
    parser.add_argument("--to", metavar="NAME", help="the contrast that stays in place; default: the first")
    parser.add_argument(
        "--brain",
        default="deepbet",
        choices=BRAINS,
        help="how brains are found; default: deepbet; masks of the scans are kept",
    )
    parser.add_argument("--masks", metavar="PATTERN", help="your masks, as hd-bet/{subject}_T1w_bet.nii.gz")
    parser.add_argument("--mni", type=float, metavar="MM", help="move patients to MNI space, voxels of MM mm")
    parser.add_argument("--no-bias", action="store_false", dest="bias", help="do not correct bias fields")
    parser.add_argument("--jobs", type=int, help="subjects at the same time; default: 1")
    _add_cluster(parser)
    parser.add_argument("--resume", action="store_true", help="keep the subjects that are complete")
    parser.add_argument("--overwrite", action="store_true", help="replace the subjects that are there")


def restore(parser):
    """Declare what ``skad restore`` takes."""
    parser.add_argument("maps", help="a folder of `skad score` on prepared scans")
    parser.add_argument("prepared", help="the folder of `skad prepare`")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the maps go")


def _add_cluster(parser):
    parser.add_argument(
        "--dask", dest="cluster", metavar="ADDRESS", help="use the workers of this Dask scheduler"
    )
