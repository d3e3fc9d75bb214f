"""A cohort as another scanner would have shown it: coarser, with a bent tone curve, without a contrast."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from skad.io import Volume
from skad.io.sources import Missing
from skad.utils.names import check_keys
from skad.utils.typing import FloatArray

SHIFTS = ("resolution", "gamma", "without")
_FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))


def check_shift(name: str, shift: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raise where the table of a shift makes no sense; returns it.

    Parameters
    ----------
    name : str
        Of the cohort, for messages.
    shift : dict
        As of :func:`shift_volume`.

    Raises
    ------
    ValueError
        An unknown key, or a value outside its domain.
    """
    check_keys(shift, SHIFTS, f"shift of {name!r},")
    for key in ("resolution", "gamma"):
        value = shift.get(key, 1)
        if not isinstance(value, Real) or value <= 0:
            raise ValueError(f"{key} in the shift of {name!r} should be a positive number, got {value!r}.")
    without = shift.get("without", [])
    if not isinstance(without, list) or not all(isinstance(each, str) for each in without):
        raise ValueError(f"without in the shift of {name!r} should be a list of contrasts, got {without!r}.")
    return shift


def shift_volume(volume: Volume, shift: Mapping[str, Any]) -> Volume:
    """A volume as a worse or another scanner would have shown it.

    Parameters
    ----------
    volume : Volume
    shift : dict
        "resolution": full width at half maximum of a Gaussian point spread, mm, in all directions. "gamma":
        intensities, from the darkest to the brightest voxel, are raised to this power. "without": names of
        contrasts that become missing.

    Returns
    -------
    Volume
        On the same grid, with the same labels and mask; voxels are changed when they are read.

    Raises
    ------
    ValueError
        A contrast of "without" that the volume does not have, or no other is left.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.io import Volume
    >>> volume = Volume({"T1w": np.array([[[0.0, 1.0, 2.0]]])}, np.eye(4))
    >>> shift_volume(volume, {"gamma": 2.0}).contrasts["T1w"]
    array([[[0. , 0.5, 2. ]]], dtype=float32)
    """
    without = shift.get("without", [])
    unknown = set(without) - set(volume.contrasts)
    if unknown or set(without) == set(volume.contrasts):
        raise ValueError(
            f"without should name some, not all, of the contrasts {', '.join(volume.contrasts)} of "
            f"{volume.subject!r}, got {', '.join(without)}."
        )
    sigma = shift.get("resolution", 0) / _FWHM_PER_SIGMA / np.array(volume.voxel_size)
    return Volume(
        {
            name: Missing(volume.shape)
            if name in without
            else _Shifted(source, tuple(sigma), shift.get("gamma", 1.0))
            for name, source in volume.contrasts.sources.items()
        },
        volume.affine,
        subject=volume.subject,
        labels=volume.labels,
        mask=volume.mask,
        header=volume.header,
        info=volume.info,
    )


@dataclass(frozen=True, eq=False)
class _Shifted:
    """Voxels that are blurred and bent when they are read."""

    source: Any
    sigma: tuple[float, ...]
    gamma: float

    @property
    def shape(self):
        return self.source.shape

    @property
    def where(self):
        return self.source.where

    def covered(self):
        return self.source.covered()

    def load(self) -> FloatArray:
        voxels = np.asarray(self.source.load(), dtype=np.float32)
        known = np.isfinite(voxels)
        if any(self.sigma):
            voxels = np.where(known, gaussian_filter(np.where(known, voxels, 0), self.sigma), voxels)
        if self.gamma == 1 or not known.any():
            return voxels
        darkest, brightest = (
            np.min(voxels, where=known, initial=np.inf),
            np.max(voxels, where=known, initial=0),
        )
        span = max(brightest - darkest, np.finfo(np.float32).tiny)
        return darkest + span * ((voxels - darkest) / span) ** np.float32(self.gamma)
