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
    scans = {"contrasts": contrasts, "where": where, "strict": strict}
    volumes, n_failed = load_for_training(folder, **scans)
    with monitored(callback):
        train(training, volumes, on_disk=on_disk, **method)
    return int(n_failed > 0)


def train(training, volumes, *, method, settings, epochs, seed, device, jobs, on_disk=False):
    """Train a method on volumes, and tell what it learned."""
    contrasts = list(volumes[0].contrasts)
    detector = make_detector(
        method,
        contrasts,
        parameters=dict(settings),
        random_state=seed,
        max_epochs=epochs,
        device=device,
        n_jobs=jobs,
        verbose=shows_bars(),
    )
    run = {
        "method": method,
        "contrasts": contrasts,
        "subjects": [volume.subject for volume in volumes],
        "--set": [f"{name}={value!r}" for name, value in settings],
        "--epochs": epochs,
        "--seed": seed,
    }
    tell(f"{len(volumes)} subjects with {', '.join(contrasts)}; training {method}.")
    scorer = detector.pipeline.steps[-1][1]
    if hasattr(scorer, "describe"):
        tell(f"Abnormal is {scorer.describe(contrasts)}.")
    training.fit(detector, volumes, on_disk=on_disk, run=run)
    out = training.unfinished.out
    record(detector=out, method=method, contrasts=contrasts, n_slices=detector.n_slices_)
    tell(f"{out} learned from {detector.n_slices_} slices without a lesion.")
