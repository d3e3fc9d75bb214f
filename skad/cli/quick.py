"""``skad quick``: a first map of one's own scan, from the scan alone."""

from pathlib import Path

from skad.cli.report import make_report
from skad.cli.scans import load_to_score
from skad.cli.terminal import REPORT, complain, tell
from skad.derivatives.one_map import beside, copy_map, folder_for, is_file
from skad.report import Gallery
from skad.single_subject import TRIMMED, SingleSubjectDetector
from skad.utils.messages import counted

LIMITS = (
    "No normal scan was used: every voxel is compared with the other voxels of the same scan. A lesion with "
    "the intensities of a healthy tissue, or one that takes up more than about "
    f"{TRIMMED:.0%} of the brain, does not show; and every scan has voxels with the highest scores, a normal "
    "one too. Do not compare the scores of two subjects."
)
ONE_CONTRAST = "With one contrast only, all that shows is brighter or darker than the rest of the brain."


def quick(folder, *, out, image, mask, jobs, **scans):
    """Write maps and report without any training scan; 1 when some subjects failed, 2 when all failed."""
    out = Path(out)
    volumes, errors = load_to_score(folder, image, mask=mask, **scans)
    if not volumes:
        complain(errors)
        return 2
    to_file = is_file(out)
    detector = SingleSubjectDetector().fit(volumes)
    looks_for = detector.pipeline_.describe(detector.contrasts_)
    tell(f"{counted(len(volumes), 'subject')}; abnormal is {looks_for}.")
    with folder_for(out, volumes) as place:
        gallery = Gallery(figures=not to_file)
        maps = detector.score_cohort(
            volumes, out=place, n_jobs=jobs, scans=folder, visitor=gallery, unreadable=errors
        )
        complain(maps.errors)
        if not len(maps):
            return 2
        if to_file:
            copy_map(maps[0], out)
        what = "the map" if to_file else counted(len(maps), "map")
        tell(f"{out}: {what}, high is abnormal.")
        report = beside(out, ".html") if to_file else out / REPORT
        notes = [f"Abnormal is {looks_for}.", LIMITS]
        if len(detector.contrasts_) == 1:
            notes.append(ONE_CONTRAST)
        failed = make_report(maps, volumes, report, scans=folder, gallery=gallery, notes=notes)
    return 1 if maps.errors or failed else 0
