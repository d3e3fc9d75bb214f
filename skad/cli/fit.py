"""``skad fit``: a folder of scans to a trained detector in one file."""

from skad.cli.scans import load_for_training
from skad.cli.terminal import record, tell
from skad.methods import make_detector
from skad.persistence import ResumableFit
from skad.training import monitored
from skad.utils.progress import shows_bars


def fit(folder, *, out, on_disk, callback, resume, overwrite, contrasts, where, strict, **method):
    """Train a detector on the lesion-free slices; 1 when some subjects could not be opened."""
    training = ResumableFit(out, resume=resume, overwrite=overwrite)
    if training.is_complete():
        tell(f"{out} was complete already.")
        return 0
    volumes, n_failed = load_for_training(folder, contrasts=contrasts, where=where, strict=strict)
    with monitored(callback):
        train(training, volumes, on_disk=on_disk, **method)
    return int(n_failed > 0)


def detector_of(volumes, *, method, settings, epochs, seed, device, jobs, verbose=False):
    """The unfitted detector that the options of `skad fit` describe."""
    return make_detector(
        method,
        list(volumes[0].contrasts),
        parameters=dict(settings),
        random_state=seed,
        max_epochs=epochs,
        device=device,
        n_jobs=jobs,
        verbose=verbose,
    )


def train(training, volumes, *, on_disk=False, **options):
    """Train a method on volumes, and tell what it learned; `training` has the `fit` of `ResumableFit`."""
    method, contrasts = options["method"], list(volumes[0].contrasts)
    detector = detector_of(volumes, verbose=shows_bars(), **options)
    run = {
        "method": method,
        "contrasts": contrasts,
        "subjects": [volume.subject for volume in volumes],
        "--set": [f"{name}={value!r}" for name, value in options["settings"]],
        "--epochs": options["epochs"],
        "--seed": options["seed"],
    }
    tell(f"{len(volumes)} subjects with {', '.join(contrasts)}; training {method}.")
    scorer = detector.pipeline.steps[-1][1]
    if hasattr(scorer, "describe"):
        tell(f"Abnormal is {scorer.describe(contrasts)}.")
    n_slices = training.fit(detector, volumes, on_disk=on_disk, run=run).n_slices_
    out = training.unfinished.out
    record(detector=out, method=method, contrasts=contrasts, n_slices=n_slices)
    tell(f"{out} learned from {n_slices} slices without a lesion.")
