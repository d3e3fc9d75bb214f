"""Patients into one space: the template's."""

from dataclasses import replace
from numbers import Real

from sklearn.utils._param_validation import Interval

from skad.preparation.registration import Registration, onto_grid, present
from skad.preparation.sources import Original
from skad.preparation.step import contrast_of, t1w_or_first
from skad.preparation.template import motion_from_template, template_grid


class RegisterToMNI(Registration):
    """Register each patient to the MNI152 2009a template with an affine transform (12 degrees of freedom).

    After `BrainExtract`, whose mask tells what is compared with the template, and before `BiasCorrect`. Each
    contrast is interpolated once, from its file straight onto the template's grid.

    Parameters
    ----------
    contrast : str, default=None
        The contrast that is compared with the T1-weighted template. None is "T1w" where the volume has it,
        or else its first contrast.
    voxel_size : float, default=1.0
        mm between the voxels of the result.

    References
    ----------
    Fonov, Evans, McKinstry, Almli, Collins (2009). Unbiased nonlinear average age-appropriate brain
    templates from birth to adulthood. NeuroImage 47.

    See Also
    --------
    CoRegister : Contrasts of one patient onto each other; comes first.
    to_originals : Maps back on the grids that were scanned.

    Examples
    --------
    >>> from skad.preparation import BrainExtract, CoRegister, RegisterToMNI
    >>> from sklearn.pipeline import make_pipeline
    >>> steps = make_pipeline(CoRegister("T1w"), BrainExtract(), RegisterToMNI(voxel_size=2.0))
    >>> steps.fit_transform(volumes)[0].shape  # doctest: +SKIP
    (99, 117, 95)
    """

    _parameter_constraints = {
        "contrast": [str, None],
        "voxel_size": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, contrast=None, *, voxel_size=1.0):
        self.contrast = contrast
        self.voxel_size = voxel_size

    def _prepare(self, volume):
        self._check_not_flat(volume)
        if not volume.has_mask:
            raise ValueError(
                f"Subject {volume.subject!r} has no brain mask: put BrainExtract before RegisterToMNI."
            )
        name = t1w_or_first(volume) if self.contrast is None else self.contrast
        motion = motion_from_template(contrast_of(volume, name), volume.mask, volume.affine)
        grid = template_grid(self.voxel_size)
        originals = {
            name: replace(original, motion=original.motion @ motion)
            for name, original in _originals(volume).items()
        }
        return onto_grid(volume, grid, originals, motion, space="MNI152NLin2009aSym")


def _originals(volume):
    if "originals" in volume.info:
        return volume.info["originals"]
    return {name: Original.of(volume, name) for name in present(volume)}
