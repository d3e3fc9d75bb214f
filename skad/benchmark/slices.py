"""The slices of a cohort on disk, read as memory maps by every training."""

import copy
import json

import numpy as np

from skad.composition import allows_missing_contrast


class CohortSlices:
    """Folds of a cohort in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Where :func:`skad.benchmark.slicing.write_cohort` wrote.

    Attributes
    ----------
    scored : list of str
        Folds that have labels and are scored: "validation" (if there is one), "test", other cohorts.
    """

    def __init__(self, folder):
        self.folder = folder
        self._names = json.loads((folder / "slices.json").read_text())
        self.scored = [fold for fold in self._names if fold != "train"]

    def scorable_by(self, *estimators):
        """The same slices without the folds that lack a contrast that one of the estimators needs."""
        found = copy.copy(self)
        if not all(map(allows_missing_contrast, estimators)):
            found.scored = [fold for fold in self.scored if not self._names[fold]["lacks_contrast"]]
        return found

    def X(self, fold):
        """Images, float32 memory map (n_slices, n_contrasts, height, width)."""
        return np.load(self.folder / f"{fold}.npy", mmap_mode="r")

    def y(self, fold):
        """Labels, memory map (n_slices, height, width)."""
        return np.load(self.folder / f"{fold}_labels.npy", mmap_mode="r")

    def anatomy(self):
        """Anatomy of the training slices, memory map (n_slices, height, width)."""
        return np.load(self.folder / "train_anatomy.npy", mmap_mode="r")

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

    def normal(self):
        """Slices without a lesion of patients that nothing was trained on, and the patient of each.

        Those of the training patients where the validation fold has none.

        Returns
        -------
        X : float32 ndarray of shape (n_slices, n_contrasts, height, width)
        patients : ndarray of shape (n_slices,)
        """
        if "validation" in self.scored:
            free = np.flatnonzero(~self.y("validation").any(axis=(1, 2)))
            if free.size:
                return self.X("validation")[free], self.patients("validation")[free]
        return self.X("train"), self.patients("train")
