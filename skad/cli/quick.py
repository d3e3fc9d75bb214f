"""``skad quick``: a first map of one's own scan, from the scan alone."""

import contextlib
import tempfile
from pathlib import Path

from skad.cli.cohort import load_cohort
from skad.cli.output import REPORT, complain, tell
from skad.cli.report import make_report
from skad.io import read_volume, write_map
from skad.report import Gallery
from skad.single_subject import TRIMMED, SingleSubjectDetector

LIMITS = (
    "No normal scan was used: every voxel is compared with the other voxels of the same scan. A lesion with "
    "the intensities of a healthy tissue, or one that takes up more than about "
    f"{TRIMMED:.0%} of the brain, does not show; and every scan has voxels with the highest scores, a normal "
    "one too. Do not compare the scores of two subjects."
)
ONE_CONTRAST = "With one contrast only, all that shows is brighter or darker than the rest of the brain."
ENDINGS = (".nii", ".nii.gz")


def quick(folder=None, *, out, image=(), mask=None, contrasts=None, where=(), jobs=None):
    """Write maps and report without any training scan; parameters as in ``skad quick --help``.

    Returns
    -------
    int
        0; 1 when some subjects failed and the others were scored; 2 when all failed.

    Raises
    ------
    ValueError
        One sentence that names the file or option.
    """
    out = Path(out)
    volumes, errors = _scans(folder, image, mask, contrasts, where)
    if not volumes:
        complain("quick", errors)
        return 2
    to_file = out.name.endswith(ENDINGS)
    if to_file and len(volumes) != 1:
        raise ValueError(
            f"--out {out} is one file, but there are {len(volumes)} subjects: name a folder instead."
        )
    detector = SingleSubjectDetector().fit(volumes)
    looks_for = detector.pipeline_.describe(detector.contrasts_)
    tell(f"{len(volumes)} subject{'s' * (len(volumes) != 1)}; abnormal is {looks_for}.")
    with tempfile.TemporaryDirectory() if to_file else contextlib.nullcontext(out) as place:
        gallery = Gallery(figures=not to_file)
        maps = detector.score_cohort(
            volumes, out=place, n_jobs=jobs, scans=folder, visitor=gallery, unreadable=errors
        )
        complain("quick", maps.errors)
        if not len(maps):
            return 2
        if to_file:
            write_map(maps[0].anomaly, volumes[0], out)
        tell(f"{out}: {'the map' if to_file else f'{len(maps)} maps'}, high is abnormal.")
        report = _named(out, ".html") if to_file else out / REPORT
        notes = [f"Abnormal is {looks_for}.", LIMITS]
        if len(detector.contrasts_) == 1:
            notes.append(ONE_CONTRAST)
        failed = make_report(maps, volumes, report, scans=folder, gallery=gallery, notes=notes)
    return 1 if maps.errors or failed else 0


def _scans(folder, image, mask, contrasts, where):
    """The volumes, and the errors of those that cannot be opened."""
    if (folder is None) == (not image):
        raise ValueError("quick needs either a folder of scans or --image NAME=FILE, not both.")
    if folder is not None:
        return load_cohort(folder, contrasts=contrasts, where=where)
    return [read_volume(dict(map(_named_file, image)), mask=mask)], {}


def _named_file(text):
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise ValueError(f"--image {text} should look like NAME=FILE, for example FLAIR=flair.nii.gz.")
    return name, path


def _named(path, ending):
    """The path with another ending than .nii or .nii.gz."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ending)
