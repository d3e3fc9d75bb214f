"""Cohorts into slices on disk, written once for all trainings."""

import json

import numpy as np

from skad.benchmark.fidelity import anatomy_of
from skad.benchmark.folds import split_volumes
from skad.benchmark.loaders import load_volumes
from skad.benchmark.protocol import central_slices, views_of
from skad.preprocessing import VolumePreprocessor
from skad.preprocessing.growing import RowFile
from skad.utils.files import written_whole

_BLOCK = 256  # slices copied at a time


def write_cohort(study, name, folder):
    """Load a cohort and those its detectors are also judged on, and write their slices.

    Parameters
    ----------
    study : Study
    name : str
        Of a cohort that is trained on.
    folder : pathlib.Path

    Raises
    ------
    ValueError
        One sentence: a folder, a fold, labels that are missing, no slice without a lesion.
    """
    cohort = study.cohorts[name]
    volumes = split_volumes(load_volumes(cohort, study.data), cohort.folds)
    prepare = VolumePreprocessor(**study.preprocessing)
    writer = _Writer(folder, study.protocol)
    train = prepare.fit_transform(volumes["train"], out=folder / "all.npy")
    taken = writer.taken(train)
    has_lesion = np.zeros(len(train), bool) if train.y is None else train.y.any(axis=(1, 2))
    if has_lesion[taken].all():
        raise ValueError(f"The training fold of {name!r} has no slice without a lesion to learn from.")
    writer.write("train", train, taken[~has_lesion[taken]])
    if study.fidelity is not None:
        labeled = study.fidelity["anatomy"]
        anatomy = anatomy_of(
            train,
            prepare,
            labeled=None if labeled is None else load_volumes(labeled, study.data),
            simulated=cohort.loader == "phantom",
            n_tissues=study.fidelity["n_tissues"],
        )
        write_rows_of(folder / "train_anatomy.npy", anatomy, taken[~has_lesion[taken]])
    if "validation" not in volumes and has_lesion[taken].any():
        writer.write("validation", train, taken[has_lesion[taken]])
    others = {other: load_volumes(study.cohorts[other], study.data) for other in study.tests_of(name)}
    for fold in ("validation", "test", *others):
        if fold in volumes or fold in others:
            stack = prepare.transform((others | volumes)[fold], out=folder / "all.npy")
            if stack.y is None:
                raise ValueError(f"Patients of {fold!r} (cohort {name!r}) have no labels to evaluate with.")
            writer.write(fold, stack, writer.taken(stack))
    for path in folder.glob("all*.npy"):
        path.unlink()
    with written_whole(folder / "slices.json") as temporary:
        temporary.write_text(json.dumps(writer.names))
    return {}


class _Writer:
    """Writes folds into a folder, and remembers whose slices they are."""

    def __init__(self, folder, protocol):
        self.folder, self.protocol, self.names = folder, protocol, {}

    def taken(self, stack):
        """Rows of the slices that the protocol takes."""
        n_slices = self.protocol.slices_per_patient
        return np.arange(len(stack)) if n_slices is None else central_slices(stack, n_slices)

    def write(self, fold, stack, rows):
        """Write some rows of a stack, and their views, as a fold."""
        images = write_rows_of(self.folder / f"{fold}.npy", stack.X, rows)
        if fold != "train":
            labels = write_rows_of(self.folder / f"{fold}_labels.npy", stack.y, rows)
        n_views = self.protocol.views.get(fold, 1)
        if n_views > 1:
            X, y = views_of(images, labels, n_views, self.protocol.augmentation)
            np.save(self.folder / f"{fold}.npy", X)
            np.save(self.folder / f"{fold}_labels.npy", y)
        volumes = stack.volume_index[rows]
        self.names[fold] = {
            "patients": stack.groups[rows].tolist() * n_views,
            "lacks_contrast": bool(stack.missing_contrasts),
            # a view is a scan of its own: its slices are no neighbors of the others'
            "volumes": [int(v + len(stack.volumes) * view) for view in range(n_views) for v in volumes],
            "voxel_sizes": [_voxel_size(stack.placements[i]) for i in volumes] * n_views,
        }


def _voxel_size(placement):
    """Distance of slices, rows and columns of a volume's slices, mm."""
    spacing = placement.resampling.new_spacing
    pixel = getattr(placement.framing, "pixel_size", None)
    return [float(mm) for mm in (spacing if pixel is None else (spacing[0], pixel, pixel))]


def write_rows_of(path, array, rows):
    """Write some rows of an array as a .npy file, a block at a time; returns it as a memory map."""
    with RowFile(path, array.shape[1:], array.dtype) as file:
        for start in range(0, len(rows), _BLOCK):
            file.append(array[rows[start : start + _BLOCK]])
    return file.result()
