"""``skad prepare``: scans as they come from the scanner to scans that agree."""

from pathlib import Path

from skad.cli.scans import load_to_score
from skad.cli.terminal import complain, tell
from skad.io.volumes import name_of
from skad.preparation import describe_preparation, make_preparation, prepare_cohort
from skad.report import write_preparation_page
from skad.utils.folders import new_folder
from skad.utils.messages import counted, one_line

QUALITY = "quality.html"


def prepare(folder, *, image, out, to, brain, masks, mni, bias, jobs, resume, overwrite, **scans):
    """Prepare a folder of scans, or those of one patient; 1 when some subjects failed, 2 when all failed."""
    out = Path(out)
    if out.is_dir() and any(out.glob("sub-*")) and not (resume or overwrite):
        raise ValueError(f"{out} holds subjects: choose another --out, or add --resume or --overwrite.")
    volumes, errors = load_to_score(folder, image, coregister_to=to or "", **scans)
    if not volumes:
        complain(errors)
        return 2
    steps = make_preparation(
        to or next(iter(volumes[0].contrasts)), brain=brain, masks=masks, mni=mni, bias=bias
    )
    done = {}
    with new_folder(out):
        for volume, result in prepare_cohort(volumes, out, steps, n_jobs=jobs, resume=resume):
            (errors if isinstance(result, Exception) else done)[name_of(volume)] = result
        complain(errors)
        if not done:
            return 2
        made = [volume for volume in volumes if name_of(volume) in done]
        done = [done[name_of(volume)] for volume in made]  # in the order of the scans
        describe_preparation(out, made)
        failed = {name: one_line(error) for name, error in errors.items()}
        page = write_preparation_page(done, out / QUALITY, failed=failed)
    for each in done:
        for warning in each.warnings:
            tell(f"{each.name}: {warning}")
    tell(f"{counted(len(done), 'subject')} in {out}; {len(errors)} failed. Look at {page} before scoring.")
    return 1 if errors else 0
