"""``skad prepare``: scans as they come from the scanner to scans that agree."""

import shutil
from pathlib import Path

from tqdm import tqdm

from skad.cli.cohort import load_cohort
from skad.cli.output import complain, tell
from skad.derivatives.naming import name_of
from skad.preparation import describe_preparation, make_preparation, prepare_cohort
from skad.report import write_preparation_page
from skad.utils.folders import new_folder
from skad.utils.messages import one_line

QUALITY = "quality.html"


def prepare(
    folder,
    *,
    out,
    contrasts=None,
    where=(),
    to=None,
    brain="deepbet",
    masks=None,
    mni=None,
    bias=True,
    jobs=None,
    resume=False,
    overwrite=False,
):
    """Prepare a folder of scans; parameters as in ``skad prepare --help``.

    Returns
    -------
    int
        0; 1 when some subjects failed and the others were prepared; 2 when all failed.

    Raises
    ------
    ValueError
        One sentence that names the file or option.
    """
    out = Path(out)
    _refuse_dicom(folder)
    if out.is_dir() and any(out.glob("sub-*")) and not (resume or overwrite):
        raise ValueError(f"{out} holds subjects: choose another --out, or add --resume or --overwrite.")
    volumes, errors = load_cohort(folder, contrasts=contrasts, where=where, coregister_to=to or "")
    if not volumes:
        complain("prepare", errors)
        return 2
    steps = make_preparation(
        to or next(iter(volumes[0].contrasts)), brain=brain, masks=masks, mni=mni, bias=bias
    )
    done, made = [], []
    with new_folder(out):
        results = prepare_cohort(volumes, out, steps, n_jobs=jobs, resume=resume)
        for volume, result in tqdm(results, total=len(volumes), unit="subject", disable=None):
            if isinstance(result, Exception):
                errors[name_of(volume)] = result
            else:
                done.append(result)
                made.append(volume)
        complain("prepare", errors)
        if not done:
            return 2
        describe_preparation(out, made)
        failed = {name: one_line(error) for name, error in errors.items()}
        page = write_preparation_page(done, out / QUALITY, failed=failed)
    for each in done:
        for warning in each.warnings:
            tell(f"{each.name}: {warning}")
    n_done = f"{len(done)} subject{'s' * (len(done) != 1)}"
    tell(f"{n_done} in {out}; {len(errors)} failed. Look at {page} before scoring.")
    return 1 if errors else 0


def _refuse_dicom(folder):
    """DICOM is converted by dcm2niix; say so, with the command, where there is nothing else."""
    folder = Path(folder)
    if not folder.is_dir() or any(folder.rglob("*.nii*")):
        return
    if any(folder.rglob("*.dcm")) or any(folder.rglob("*.DCM")):
        absent = "" if shutil.which("dcm2niix") else " (not installed here: github.com/rordenlab/dcm2niix)"
        raise ValueError(
            f"{folder} holds DICOM files, and skad reads NIfTI: convert them with dcm2niix{absent}, as "
            f'in `dcm2niix -z y -b y -f "sub-01_%d" -o nifti/ {folder}`, and name them as BIDS does.'
        )
