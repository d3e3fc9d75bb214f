"""What the steps share: volumes in, volumes out, maps back."""

import logging
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skad.io import Volume
from skad.io.volumes import list_volumes
from skad.preparation.sources import part
from skad.utils.documentation import DocumentationLinkMixin

T1W = "T1w"
_log = logging.getLogger("skad.preparation")


class VolumeStep(DocumentationLinkMixin, BaseEstimator):
    """A step that takes volumes and gives volumes; it learns nothing, so that a new patient needs no `fit`.

    A step defines ``_prepare(volume)``, and ``_restore(array, volume)`` where it changes the grid.
    """

    _parameter_constraints: dict[str, list[Any]] = {}

    def fit(self, volumes=None, y=None):
        """Check the parameters; there is nothing to learn.

        Parameters
        ----------
        volumes, y : ignored

        Returns
        -------
        self
        """
        self._validate_params()
        return self

    def fit_transform(self, volumes, y=None):
        """`fit`, then `transform`."""
        return self.fit().transform(volumes)

    def transform(self, volumes):
        """Prepare volumes one after the other.

        Parameters
        ----------
        volumes : list of Volume

        Returns
        -------
        list of Volume
            New ones; their voxels are computed from the files each time they are accessed.

        Raises
        ------
        ImportError
            SimpleITK is not installed.
        ValueError
            Names the subject and what it lacks.
        """
        self._validate_params()
        volumes = list_volumes(volumes)
        self._check(volumes)
        return [self._told(volume) for volume in volumes]

    def _told(self, volume):
        _log.info("%s: %s", volume.subject, type(self).__name__)
        return self._prepare(volume)

    def _check(self, volumes):
        """Refuse volumes that the step cannot prepare together."""

    def inverse_transform(self, maps, volumes):
        """Maps on the grids of transformed volumes as they were before the step.

        Parameters
        ----------
        maps : list of array or nibabel image
            One per volume, of its shape.
        volumes : list of Volume
            What `transform` returned.

        Returns
        -------
        list
            One per volume.
        """
        volumes = list_volumes(volumes)
        if len(maps) != len(volumes):
            raise ValueError(
                f"maps should have one map for each of the {len(volumes)} volumes, got {len(maps)}."
            )
        return [
            self._restore(_on_volume(image, volume), volume)
            for image, volume in zip(maps, volumes, strict=True)
        ]

    def _restore(self, array, volume):
        return array

    def __sklearn_is_fitted__(self):
        return True


def t1w_or_first(volume):
    """The name of the contrast that templates and networks were made for, or else of the volume's first."""
    return T1W if T1W in volume.contrasts else next(iter(volume.contrasts))


def contrast_of(volume, name):
    """A contrast that a step needs, float32 of the volume's shape.

    Raises
    ------
    ValueError
        The subject does not have it.
    """
    if name not in volume.contrasts:
        raise ValueError(
            f"Subject {volume.subject!r} has no contrast {name!r}, only {', '.join(volume.contrasts)}."
        )
    voxels = volume.contrasts[name]
    if np.isnan(voxels).all():
        raise ValueError(f"Contrast {name!r} of subject {volume.subject!r} is missing (NaN everywhere).")
    return voxels


def changed(volume, *, contrasts=None, mask=None, **info):
    """A volume on the same grid with other contrasts or another mask (sources), and more in its `info`."""
    return Volume(
        volume.contrasts.sources if contrasts is None else contrasts,
        volume.affine,
        subject=volume.subject,
        labels=part(volume, "labels"),
        mask=part(volume, "mask") if mask is None else mask,
        header=volume.header,
        info=volume.info | info,
    )


def _on_volume(image, volume):
    array = np.asarray(getattr(image, "dataobj", image))
    if array.shape != volume.shape:
        raise ValueError(
            f"The map of subject {volume.subject!r} should have its shape {volume.shape}, got {array.shape}."
        )
    return array
