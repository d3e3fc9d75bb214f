"""The axial slices of a cohort, and what is needed to put maps of them back into the patients."""

import zlib
from dataclasses import dataclass, field

import numpy as np

from skad.utils.notebook import card, picture
from skad.utils.typing import FloatArray

_SHOWN = 4  # slices in a notebook


@dataclass(eq=False)
class SliceStack:
    """Axial slices of several volumes, volume by volume, from inferior to superior.

    Attributes
    ----------
    X : float32 ndarray or memmap of shape (n_slices, n_contrasts, height, width)
        NaN is background. Row 0 of a slice is anterior, column 0 the patient's right.
    y : int16 ndarray or memmap of shape (n_slices, height, width), or None
        0 normal, k >= 1 abnormality class k; None when a volume has no labels.
    groups : ndarray of str, shape (n_slices,)
        Patient of each slice.
    contrasts : tuple of str
        Names along axis 1 of `X`.
    volumes : list of Volume
        The volumes that the slices come from.
    volume_index : int ndarray of shape (n_slices,)
        Index into `volumes` of each slice.
    slice_index : int ndarray of shape (n_slices,)
        Position of each slice in its volume, counted from the most inferior one after resampling.
    placements : list of Placement
        How the slices of each volume lie in it.

    See Also
    --------
    skad.preprocessing.VolumePreprocessor : Makes the stack.

    Examples
    --------
    >>> from skad.datasets import make_phantom
    >>> from skad.preprocessing import VolumePreprocessor
    >>> volumes = make_phantom(2, shape=(16, 20, 8), random_state=0)
    >>> stack = VolumePreprocessor(size=(24, 20)).fit_transform(volumes)
    >>> stack.X.shape[1:], sorted(set(stack.groups.tolist()))
    ((3, 24, 20), ['phantom01', 'phantom02'])
    """

    X: np.ndarray
    y: np.ndarray | None
    groups: np.ndarray
    contrasts: tuple
    volumes: list
    volume_index: np.ndarray
    slice_index: np.ndarray
    placements: list = field(repr=False)

    def __len__(self):
        return len(self.X)

    @property
    def positions(self) -> FloatArray:
        """Height of every slice above the lowest of its volume, mm, shape (n_slices,)."""
        spacings = [placement.resampling.new_spacing[0] for placement in self.placements]
        return self.slice_index * np.array(spacings)[self.volume_index]

    def seen_with(self, context: float | None) -> FloatArray:
        """What a pipeline is given: the slices, alone or with their neighbors.

        Parameters
        ----------
        context : float or None
            Distance of the neighbors, mm; None for slices alone.

        Returns
        -------
        float32 ndarray
            `X`, or what `with_neighbors` gives.
        """
        return self.X if context is None else self.with_neighbors(context)

    def with_neighbors(self, distance: float) -> FloatArray:
        """Every slice with the slices of its volume that lie about `distance` below and above it.

        Parameters
        ----------
        distance : float
            mm. The nearest slice to that height is taken, at most twice as far away.

        Returns
        -------
        float32 ndarray of shape (n_slices, 3, n_contrasts, height, width)
            The slice, the one below and the one above. Where there is none, and in pixels outside its
            foreground, the slice itself.
        """
        series = np.repeat(self.X[:, None], 3, axis=1)
        for side, beside in enumerate(self._rows_beside(distance), start=1):
            for row, other in enumerate(beside):
                seen = self.X[other]
                shown = ~np.isnan(seen) & ~np.isnan(self.X[row])
                series[row, side][shown] = seen[shown]
        return series

    def _rows_beside(self, distance):
        """Index of the slice below each slice, and of the slice above; its own where there is none."""
        beside, positions = np.tile(np.arange(len(self)), (2, 1)), self.positions
        for index in range(len(self.volumes)):
            rows = np.flatnonzero(self.volume_index == index)
            height = positions[rows]
            for side, sign in enumerate((-1, 1)):
                gap = sign * (height - height[:, None])  # of every slice (column) from each slice (row)
                off = np.where((gap > 0) & (gap <= 2 * distance), np.abs(gap - distance), np.inf)
                found = np.isfinite(off).any(axis=1)
                beside[side, rows[found]] = rows[off[found].argmin(axis=1)]
        return beside

    @property
    def missing_contrasts(self) -> tuple[str, ...]:
        """Names of the contrasts that are NaN in every slice."""
        return tuple(name for i, name in enumerate(self.contrasts) if np.isnan(self.X[:, i]).all())

    def __repr__(self):
        labels = "with" if self.y is not None else "without"
        return (
            f"SliceStack({len(self)} slices of {len(self.volumes)} volumes, {' + '.join(self.contrasts)}, "
            f"{self.X.shape[2]}x{self.X.shape[3]} pixels, {labels} labels)"
        )

    def _repr_html_(self):
        """Some slices of every contrast, evenly spaced over the stack, and its size."""
        n_patients = len(np.unique(self.groups))
        facts = {
            "slices": f"{len(self)}, of {len(self.volumes)} volumes and {n_patients} patients",
            "pixels": f"{self.X.shape[2]}x{self.X.shape[3]}",
            "labels": "no" if self.y is None else "yes",
            "memory": f"{self.X.nbytes / 1e6:.0f} MB{', on disk' * isinstance(self.X, np.memmap)}",
        }
        shown = np.unique(((np.arange(_SHOWN) + 0.5) / _SHOWN * len(self)).astype(int))
        strips = [np.concatenate(slices, axis=1) for slices in np.moveaxis(self.X[shown], 1, 0)]
        named = zip(self.contrasts, strips, strict=True)
        pictures = [picture(name, strip, width=130 * len(shown)) for name, strip in named]
        return card("SliceStack", facts, pictures=pictures)


@dataclass(frozen=True, eq=False)
class Placement:
    """How the slices of one volume came out of it.

    Attributes
    ----------
    reorientation : Reorientation
    resampling : Resampling
    framing : Cropping or Resizing
    foreground : PackedMask
        On the native grid, as axial slices.
    intensities : dict of str to IntensityMap
        How each contrast was normalized; its `inverse` gives scanner units.
    """

    reorientation: object
    resampling: object
    framing: object
    foreground: object
    intensities: dict

    @property
    def pixel_size(self):
        """Height and width of a pixel of the slices, mm."""
        return tuple(np.broadcast_to(self.framing.pixel_size, 2).tolist())

    def to_native(self, maps, slice_index):
        """Maps of some slices, (n, height, width), on the volume's own grid; NaN outside the foreground."""
        height_width = maps.shape[1:]
        slices = np.full((self.resampling.new_shape[0], *height_width), np.nan, dtype=np.float32)
        slices[slice_index] = maps
        native = self.resampling.inverse(self.framing.inverse(slices))
        return self.reorientation.inverse(np.where(self.foreground.unpack(), native, np.float32(np.nan)))


@dataclass(frozen=True)
class PackedMask:
    """A bool array in a few kilobytes, so that a cohort's masks fit in memory."""

    packed: bytes = field(repr=False)
    shape: tuple

    @classmethod
    def pack(cls, mask):
        """Pack a bool array."""
        return cls(zlib.compress(np.packbits(mask).tobytes(), level=1), mask.shape)

    def unpack(self):
        """The bool array."""
        bits = np.frombuffer(zlib.decompress(self.packed), dtype=np.uint8)
        return np.unpackbits(bits, count=int(np.prod(self.shape))).view(bool).reshape(self.shape)
