"""One subject on one grid."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skad.io.errors import VolumeReadError
from skad.io.labels import whole_numbers
from skad.io.orientation import axes_towards
from skad.io.sources import Cached, InMemory
from skad.utils.names import nearest
from skad.utils.notebook import card, picture
from skad.utils.typing import BoolArray, IntArray


class Volume:
    """All contrasts of one subject on one voxel grid; voxels are read at each access and not kept.

    Parameters
    ----------
    contrasts : mapping of str to array of shape (nx, ny, nz), or to a source
        A source has `shape`, `where` (its name for messages), `load()` (the voxels) and `covered()` (the
        voxels that were measured). A contrast that is NaN everywhere is a missing contrast.
    affine : array of shape (4, 4)
        Voxel indices to mm in the scanner's or a template's space.
    subject : str, default=""
        The patient. Volumes of one patient share it: splits keep them together.
    labels : integer array of shape (nx, ny, nz) or source, default=None
        0 normal, k >= 1 abnormality class k.
    mask : bool array of shape (nx, ny, nz) or source, default=None
        True in the brain or body.
    header : dict, default=None
        Header fields that `write_map` keeps; `read_volume` fills it.
    info : dict, default=None
        What else is known of the subject: the columns of participants.tsv, the source paths.

    Attributes
    ----------
    contrasts : mapping of str to float32 ndarray of shape (nx, ny, nz)
        Read-only. Names, order, length and `in` cost nothing; every access to a value reads it anew.

    Raises
    ------
    VolumeReadError
        Shapes that disagree, an affine that is not finite and invertible; at access, voxels that are NaN or
        infinite inside the mask, or anywhere when there is no mask.

    See Also
    --------
    skad.io.read_volume : Makes a volume from NIfTI files.
    skad.datasets.load : Makes the volumes of a folder.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.io import Volume
    >>> images = {"T1w": np.ones((7, 8, 9)), "FLAIR": np.zeros((7, 8, 9))}
    >>> volume = Volume(images, np.eye(4), subject="sub-01")
    >>> volume
    Volume('sub-01', T1w + FLAIR, 7x8x9 voxels of 1x1x1 mm)
    >>> volume.contrasts["T1w"].dtype
    dtype('float32')
    """

    def __init__(
        self,
        contrasts: Mapping[str, Any],
        affine: ArrayLike,
        *,
        subject: str = "",
        labels: Any = None,
        mask: Any = None,
        header: Mapping[str, Any] | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        self.subject = str(subject)
        self.affine = np.array(affine, dtype=float)
        self.header = header
        self.info = dict(info or {})
        self._labels = self._source(labels, "labels")
        self._mask = self._source(mask, "mask")
        sources = {str(name): self._source(values, name) for name, values in contrasts.items()}
        self.contrasts = Contrasts(sources, self._mask)
        self._check()

    def _source(self, values, name):
        if values is None or hasattr(values, "load"):
            return values
        return InMemory(np.asanyarray(values), f"{name} of subject {self.subject!r}")

    def _check(self):
        if (
            self.affine.shape != (4, 4)
            or not np.isfinite(self.affine).all()
            or not np.linalg.det(self.affine)
        ):
            raise VolumeReadError(
                f"Subject {self.subject!r} should have a finite, invertible affine of shape (4, 4), "
                f"got {self.affine.tolist()}."
            )
        if not len(self.contrasts):
            raise VolumeReadError(f"Subject {self.subject!r} has no contrast: give at least one.")
        sources = [*self.contrasts.sources.values(), self._labels, self._mask]
        first = sources[0]
        for source in sources:
            if source is not None and (tuple(source.shape) != self.shape or len(source.shape) != 3):
                raise VolumeReadError(
                    f"All images of a volume should be 3-D and of one shape, but {first.where} has shape "
                    f"{tuple(first.shape)} and {source.where} has {tuple(source.shape)}: "
                    "resample them to one grid."
                )

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels per axis, as stored."""
        return tuple(next(iter(self.contrasts.sources.values())).shape)

    @property
    def voxel_size(self) -> tuple[float, ...]:
        """Distance of neighboring voxels along each stored axis, mm."""
        return tuple(float(length) for length in np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def has_labels(self) -> bool:
        """Whether there are labels, without reading them."""
        return self._labels is not None

    @property
    def has_mask(self) -> bool:
        """Whether there is a mask, without reading it."""
        return self._mask is not None

    @property
    def labels(self) -> IntArray | None:
        """Abnormality classes, int32 of shape (nx, ny, nz), or None."""
        return None if self._labels is None else whole_numbers(self._labels.load(), self._labels.where)

    @property
    def mask(self) -> BoolArray | None:
        """The brain or body, bool of shape (nx, ny, nz), or None. Probabilities are cut at one half."""
        return None if self._mask is None else self._mask.load() > 0.5

    def cached(self) -> Self:
        """The same volume, which keeps its voxels once they are read: every file is read once at most."""
        return type(self)(
            {name: Cached(source) for name, source in self.contrasts.sources.items()},
            self.affine,
            subject=self.subject,
            labels=None if self._labels is None else Cached(self._labels),
            mask=None if self._mask is None else Cached(self._mask),
            header=self.header,
            info=self.info,
        )

    def __repr__(self):
        extras = ", labels" * self.has_labels + ", mask" * self.has_mask
        return f"Volume({self.subject!r}, {' + '.join(self.contrasts)}, {self._grid()}{extras})"

    def _grid(self):
        voxels = "x".join(str(n) for n in self.shape)
        return f"{voxels} voxels of {'x'.join(f'{length:.3g}' for length in self.voxel_size)} mm"

    def _repr_html_(self):
        """The middle axial slice of every contrast, read now, and what is known without reading."""
        facts = {"grid": self._grid(), "labels": _yes_no(self.has_labels), "mask": _yes_no(self.has_mask)}
        try:
            pictures = self._pictures()
        except (ValueError, OSError) as error:
            return card(f"Volume {self.subject}", facts | {"not readable": error})
        return card(f"Volume {self.subject}", facts, pictures=pictures)

    def _pictures(self):
        order, flipped = axes_towards(self.affine, "SPL")
        across, down = (self.voxel_size[axis] for axis in order[:0:-1])
        middle = self.shape[order[0]] // 2
        pictures = []
        for name, image in self.contrasts.items():
            slices = np.flip(np.transpose(image, order), np.flatnonzero(flipped))
            pictures.append(picture(name, slices[middle], aspect=down / across))
        return pictures


def _yes_no(known):
    return "yes" if known else "no"


class Contrasts(Mapping):
    """Read-only mapping of contrast names to float32 voxels, read anew at every access.

    Parameters
    ----------
    sources : dict of str to source
    mask : source or None
        Where voxels have to be finite; None means everywhere.
    """

    def __init__(self, sources, mask):
        self.sources = sources
        self._mask = mask

    def __getitem__(self, name):
        if name not in self.sources:
            meant = nearest(name, self) or "use one of them."
            raise KeyError(f"no contrast {name!r}; there are {', '.join(self)}: {meant}")
        source = self.sources[name]
        with np.errstate(over="ignore"):  # beyond float32: an infinity, which the next line finds
            voxels = np.asarray(source.load(), dtype=np.float32)
        _check_finite(voxels, source, self._mask)
        return voxels

    def __contains__(self, name):
        return name in self.sources

    def __iter__(self):
        return iter(self.sources)

    def __len__(self):
        return len(self.sources)

    def __repr__(self):
        return f"Contrasts({', '.join(self.sources)})"


def _check_finite(voxels, source, mask):
    bad = ~np.isfinite(voxels)
    if not bad.any():
        return
    bad &= source.covered()
    if mask is not None:
        bad &= mask.load() > 0.5
    if bad.any():
        place = "inside the mask" if mask is not None else "and there is no mask"
        raise VolumeReadError(
            f"{source.where} has {int(bad.sum())} NaN or infinite voxels {place}: "
            "give a mask that leaves them out, or repair the file."
        )
