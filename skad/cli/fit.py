"""``skad fit``: a folder of scans to a trained detector in one file."""

import contextlib
import json
from pathlib import Path

from skad.cli.cohort import load_for_training
from skad.cli.json_output import record
from skad.cli.methods import build_detector
from skad.cli.output import tell
from skad.cli.saved import is_saved, mark_saved, tidy
from skad.persistence import save
from skad.training import checkpoint_in, is_main_process
from skad.training.parallel import rank
from skad.utils.files import sweep, write_json
from skad.utils.folders import new_folder
from skad.utils.locks import locked
from skad.utils.progress import shows_bars

SETTINGS, SLICES = "settings.json", "slices.npy"


def fit(
    folder,
    *,
    out,
    method="mixture",
    contrasts=None,
    where=(),
    settings=(),
    epochs=None,
    seed=0,
    device="auto",
    jobs=None,
    on_disk=False,
    resume=False,
    overwrite=False,
):
    """Train a detector on the lesion-free slices of a folder; parameters as in ``skad fit --help``.

    Returns
    -------
    int
        0; 1 when some subjects could not be opened and were left out.

    Raises
    ------
    ValueError
        One sentence that names the file or option.
    """
    if is_complete(out, resume=resume, overwrite=overwrite):
        return 0
    volumes, n_failed = load_for_training("fit", folder, contrasts=contrasts, where=where)
    train(
        volumes,
        out=out,
        method=method,
        settings=settings,
        epochs=epochs,
        seed=seed,
        device=device,
        jobs=jobs,
        on_disk=on_disk,
        resume=resume,
    )
    return int(n_failed > 0)


def is_complete(out, *, resume, overwrite):
    """Whether the detector was saved by a run that is resumed; what such a run left is removed.

    Raises
    ------
    ValueError
        A file or an unfinished training is there that this run may not replace.
    """
    out, checkpoints = Path(out), checkpoints_of(out)
    if resume and is_saved(out, checkpoints):
        tidy(checkpoints)
        tell(f"{out} was complete already.")
        return True
    _check_free(out, checkpoints, resume, overwrite)
    return False


def checkpoints_of(out):
    """The folder in which a training towards a file keeps its state."""
    out = Path(out)
    return out.with_name(out.name + ".checkpoints")


def train(volumes, *, out, method, settings, epochs, seed, device, jobs, on_disk=False, resume=False):
    """Train a detector on volumes and save it; parameters as in ``skad fit --help``."""
    out, checkpoints = Path(out), checkpoints_of(out)
    detector = build_detector(
        method,
        volumes[0].contrasts,
        settings=settings,
        seed=seed,
        epochs=epochs,
        device=device,
        jobs=jobs,
        verbose=shows_bars(),
    )
    run = {
        "method": method,
        "contrasts": list(volumes[0].contrasts),
        "subjects": [volume.subject for volume in volumes],
        "--set": list(settings),
        "--epochs": epochs,
        "--seed": seed,
    }
    tell(f"{len(volumes)} subjects with {', '.join(run['contrasts'])}; training {method}.")
    scorer = detector.pipeline.steps[-1][1]
    if hasattr(scorer, "describe"):
        tell(f"Abnormal is {scorer.describe(run['contrasts'])}.")
    with new_folder(checkpoints), _reserved(checkpoints, resume), _tidy(checkpoints):
        _check_same_run(run, checkpoints / SETTINGS)
        with checkpoint_in(checkpoints):
            detector.fit(volumes, out=checkpoints / f"{rank()}-{SLICES}" if on_disk else None)
        if is_main_process():
            save(detector.set_params(verbose=False, preprocessor__n_jobs=None), out)
            mark_saved(out, checkpoints)
            tidy(checkpoints)
    record(detector=out, method=method, contrasts=run["contrasts"], n_slices=detector.n_slices_)
    tell(f"{out} learned from {detector.n_slices_} slices without a lesion.")


def _check_free(out, checkpoints, resume, overwrite):
    """Nothing that is already computed is lost by a forgotten option."""
    if out.is_dir():
        raise ValueError(
            f"--out {out} is a folder: give the name of a file, for example {out / 'detector.skad'}."
        )
    if out.exists() and not (overwrite or (resume and _has_begun(checkpoints))):
        raise ValueError(f"{out} exists already: choose another --out, or add --overwrite.")
    if _has_begun(checkpoints) and not (resume or overwrite):
        raise ValueError(
            f"{checkpoints} holds an unfinished training: add --resume to go on, "
            "or --overwrite to start again."
        )


@contextlib.contextmanager
def _reserved(checkpoints, resume):
    """Keep the folder for this run, whose first process frees it of what killed or earlier runs left."""
    if not is_main_process():
        yield
        return
    with locked(checkpoints):
        sweep(checkpoints)
        if not resume:
            _forget(checkpoints)
        yield


def _forget(checkpoints):
    """Remove what an earlier training left."""
    for path in (*checkpoints.glob("*.pt"), checkpoints / SETTINGS, *checkpoints.glob(f"*{SLICES}")):
        path.unlink(missing_ok=True)


def _has_begun(checkpoints):
    return any(checkpoints.glob("*.pt"))


@contextlib.contextmanager
def _tidy(checkpoints):
    """Leave nothing in the folder that a resumed training could not use."""
    try:
        yield
    finally:
        (checkpoints / f"{rank()}-{SLICES}").unlink(missing_ok=True)
        if not _has_begun(checkpoints):
            (checkpoints / SETTINGS).unlink(missing_ok=True)


def _check_same_run(run, path):
    """Remember what is being trained, or compare it with what was."""
    if not path.exists():
        write_json(run, path)
        return
    before = json.loads(path.read_text())
    for name, value in run.items():
        if before.get(name) != value:
            raise ValueError(
                f"{path.parent} belongs to a training with other {name.removeprefix('--')} "
                f"({_short(before.get(name))}, now {_short(value)}): resume with the same or add --overwrite."
            )


def _short(value):
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + "..."
