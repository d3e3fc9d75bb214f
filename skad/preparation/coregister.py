"""Contrasts onto one of them: the patient moved, and every contrast has its own grid."""

from dataclasses import replace

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skad.preparation.itk import find_motion, load_simpleitk
from skad.preparation.registration import Registration, onto_grid, present
from skad.preparation.sources import Original
from skad.preparation.step import contrast_of


class CoRegister(Registration):
    """Register all contrasts of a patient to one of them, on the grid of that contrast.

    The first of the steps. Contrasts are compared by mutual information, so they need not look alike. Each
    is interpolated once, from its file straight onto the common grid.

    Parameters
    ----------
    to : str
        The contrast that stays: it gives grid and position. Labels and mask are taken to lie on it.
    motion : {"rigid", "affine"}, default="rigid"
        6 degrees of freedom (the patient moved between two scans of one session) or 12 (a scanner's
        geometry changed as well).

    See Also
    --------
    skad.preparation.RegisterToMNI : Registers patients to a template.
    skad.preparation.to_originals : Maps back on the original grids.

    Notes
    -----
    The search starts where the headers say: scans of one session are a few mm or degrees apart. A volume's
    ``info["originals"]`` keeps, by contrast, its own grid and the motion that was found.

    References
    ----------
    Mattes, Haynor, Vesselle, Lewellen, Eubank (2003). PET-CT image registration in the chest using free-form
    deformations. IEEE Trans. Med. Imaging 22(1).

    Examples
    --------
    >>> from skad.datasets import load_bids
    >>> from skad.preparation import CoRegister
    >>> align = CoRegister("FLAIR")
    >>> volumes = align.fit_transform(load_bids("data/clinical"))  # doctest: +SKIP
    >>> maps = [detector.score_volume(volume) for volume in volumes]  # doctest: +SKIP
    >>> align.inverse_transform(maps, volumes)[0]["T1w"].to_filename("on_T1w.nii.gz")  # doctest: +SKIP
    """

    _parameter_constraints = {"to": [str], "motion": [StrOptions({"rigid", "affine"})]}

    def __init__(self, to, *, motion="rigid"):
        self.to = to
        self.motion = motion

    def _prepare(self, volume):
        load_simpleitk()
        contrast_of(volume, self.to)
        self._check_not_flat(volume)
        still = Original.of(volume, self.to)
        originals = {name: self._moved(volume, name, still) for name in present(volume)}
        return onto_grid(volume, still, originals, np.eye(4), header=still.header)

    def _moved(self, volume, name, still):
        original = Original.of(volume, name)
        if name == self.to:
            return original
        fixed, moving = ((image.voxels(), image.affine) for image in (still, original))
        try:
            return replace(original, motion=find_motion(fixed, moving, motion=self.motion))
        except ValueError as error:
            raise ValueError(f"Subject {volume.subject!r}, {name} onto {self.to}: {error}") from error
