"""What co-registration and the way into a template's space share: one grid for all, and back to each file."""

import numpy as np

from skad.io import Volume
from skad.io.sources import Missing
from skad.preparation.sources import Flattened, part_on, to_originals
from skad.preparation.step import VolumeStep


class Registration(VolumeStep):
    """A step that brings all contrasts of a volume onto one grid, each straight from its file."""

    def inverse_transform(self, maps, volumes):
        """Maps of the common grid on the grid of every original contrast.

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

    def _restore(self, array, volume):
        return to_originals(array, volume)

    def _check_not_flat(self, volume):
        if any(isinstance(source, Flattened) for source in volume.contrasts.sources.values()):
            raise ValueError(
                f"{type(self).__name__} should come before BiasCorrect, "
                f"but subject {volume.subject!r} is flat."
            )


def present(volume):
    """Names of the contrasts that a volume has, without the missing ones."""
    return [name for name in volume.contrasts if not np.isnan(volume.contrasts[name]).all()]


def onto_grid(volume, grid, originals, motion, *, header=None, **info):
    """A volume with its contrasts, labels and mask on another grid.

    Parameters
    ----------
    volume : Volume
    grid : object with shape and affine
    originals : dict of str to Original
        The contrasts that are present, each with its motion from the grid.
    motion : array of shape (4, 4)
        Points of the grid to points of the volume, mm: that of labels and mask.
    header : dict, default=None
        Of the new volume.
    **info
        Added to what is known of the volume, beside the originals.
    """
    sources = {
        name: originals[name].on(grid) if name in originals else Missing(tuple(grid.shape), name)
        for name in volume.contrasts
    }
    return Volume(
        sources,
        grid.affine,
        subject=volume.subject,
        labels=part_on(volume, "labels", grid, motion),
        mask=part_on(volume, "mask", grid, motion),
        header=header,
        info=volume.info | {"originals": originals} | info,
    )
