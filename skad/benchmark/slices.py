"""The slices of a cohort on disk: written once, read as memory maps by every training."""

import json

import numpy as np

from skad.benchmark.folds import split_volumes
from skad.benchmark.study import LOADERS
from skad.preprocessing import VolumePreprocessor
from skad.utils.files import written_whole

_BLOCK = 256  # slices copied at a time


class CohortSlices:
    """Folds of a cohort in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Where :func:`write_cohort` wrote.

    Attributes
    ----------
    scored : list of str
        Folds that have labels and are scored: "validation" (if there is one), "test", other cohorts.
    """

    def __init__(self, folder):
        self.folder = folder
        self._names = json.loads((folder / "slices.json").read_text())
        self.scored = [fold for fold in self._names if fold != "train"]

    def X(self, fold):
        """Images, float32 memory map (n_slices, n_contrasts, height, width)."""
        return np.load(self.folder / f"{fold}.npy", mmap_mode="r")

    def y(self, fold):
        """Labels, memory map (n_slices, height, width)."""
        return np.load(self.folder / f"{fold}_labels.npy", mmap_mode="r")

    def patients(self, fold):
        """Patient of each slice."""
        return np.array(self._names[fold]["patients"])

    def volumes(self, fold):
        """Volume of each slice, an integer."""
        return np.array(self._names[fold]["volumes"])

    def scans(self, fold):
        """What :func:`skad.evaluation.evaluate_slices` takes: groups, sessions, voxel sizes."""
        patients, volumes = self.patients(fold), self.volumes(fold)
        of_patient = {p: sorted(set(volumes[patients == p].tolist())) for p in set(patients.tolist())}
        sessions = [
            str(of_patient[p].index(v) + 1) if len(of_patient[p]) > 1 else ""
            for p, v in zip(patients.tolist(), volumes.tolist(), strict=True)
        ]
        sizes = np.array(self._names[fold]["voxel_sizes"])
        return {"groups": patients, "sessions": np.array(sessions), "voxel_size": sizes}


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
    volumes = split_volumes(_load(study, cohort), cohort.folds)
    prepare = VolumePreprocessor(**study.preprocessing)
    names = {}

    def keep(fold, stack, rows):
        _write_rows(folder / f"{fold}.npy", stack.X, rows)
        if fold != "train":
            _write_rows(folder / f"{fold}_labels.npy", stack.y, rows)
        names[fold] = {
            "patients": stack.groups[rows].tolist(),
            "volumes": stack.volume_index[rows].tolist(),
            "voxel_sizes": [_voxel_size(stack.placements[i]) for i in stack.volume_index[rows]],
        }

    train = prepare.fit_transform(volumes["train"], out=folder / "all.npy")
    has_lesion = np.zeros(len(train), bool) if train.y is None else train.y.any(axis=(1, 2))
    if has_lesion.all():
        raise ValueError(f"The training fold of {name!r} has no slice without a lesion to learn from.")
    keep("train", train, np.flatnonzero(~has_lesion))
    if "validation" not in volumes and has_lesion.any():
        keep("validation", train, np.flatnonzero(has_lesion))
    others = {other: _load(study, study.cohorts[other]) for other in study.tests_of(name)}
    for fold in ("validation", "test", *others):
        if fold in volumes or fold in others:
            stack = prepare.transform((others | volumes)[fold], out=folder / "all.npy")
            if stack.y is None:
                raise ValueError(f"Patients of {fold!r} (cohort {name!r}) have no labels to be judged with.")
            keep(fold, stack, np.arange(len(stack)))
    for path in folder.glob("all*.npy"):
        path.unlink()
    with written_whole(folder / "slices.json") as temporary:
        temporary.write_text(json.dumps(names))
    return {}


def _voxel_size(placement):
    """Distance of slices, rows and columns of a volume's slices, mm."""
    spacing = placement.resampling.new_spacing
    pixel = getattr(placement.framing, "pixel_size", None)
    return [float(mm) for mm in (spacing if pixel is None else (spacing[0], pixel, pixel))]


def _load(study, cohort):
    arguments = dict(cohort.arguments)
    if "folder" in arguments:
        arguments["folder"] = study.data / arguments["folder"]
    return LOADERS[cohort.loader](**arguments)


def _write_rows(path, array, rows):
    """Some rows of an array as a .npy file, a block at a time."""
    file = np.lib.format.open_memmap(path, "w+", array.dtype, (len(rows), *array.shape[1:]))
    for start in range(0, len(rows), _BLOCK):
        file[start : start + _BLOCK] = array[rows[start : start + _BLOCK]]
    file.flush()
