"""Patients into one space: the template's."""

from dataclasses import replace
from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from skad.io import Volume
from skad.io.sources import Missing
from skad.preparation.sources import Flattened, Original, part_on, to_originals
from skad.preparation.step import VolumeStep, contrast_of, t1w_or_first
from skad.preparation.template import motion_from_template, template_grid


class RegisterToMNI(VolumeStep):
    """Move each patient into the space of the MNI152 2009a template, with 12 degrees of freedom.

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

    def inverse_transform(self, maps, volumes):
        """Maps of the template's grid on the grid of every original contrast.

        Parameters
        ----------
        maps : list of array or nibabel image
            One per volume, of its shape. Floats are interpolated linearly (NaN is background), integers and
            bool by nearest neighbor.
        volumes : list of Volume
            What `transform` returned, or what later steps made of it.

        Returns
        -------
        list of dict of str to nibabel.Nifti1Image
            By contrast, without the missing ones: shape, affine and codes of its file, float32.
        """
        return super().inverse_transform(maps, volumes)

    def _prepare(self, volume):
        if any(isinstance(source, Flattened) for source in volume.contrasts.sources.values()):
            raise ValueError(
                f"RegisterToMNI should come before BiasCorrect, but subject {volume.subject!r} is flat."
            )
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
        sources = {
            name: originals[name].on(grid) if name in originals else Missing(grid.shape, name)
            for name in volume.contrasts
        }
        return Volume(
            sources,
            grid.affine,
            subject=volume.subject,
            labels=part_on(volume, "labels", grid, motion),
            mask=part_on(volume, "mask", grid, motion),
            info=volume.info | {"originals": originals, "space": "MNI152NLin2009aSym"},
        )

    def _restore(self, array, volume):
        return to_originals(array, volume)


def _originals(volume):
    if "originals" in volume.info:
        return volume.info["originals"]
    return {
        name: Original.of(volume, name)
        for name in volume.contrasts
        if not np.isnan(volume.contrasts[name]).all()
    }
