"""The cohorts of `benchmarks/champion.py`: slices in one compact file, and the patients that are judged."""

import numpy as np
from scipy import ndimage
from weighing import pixel_sizes

from skad.base import observed_images

CONTRASTS = {"glioma": ("T1w", "FLAIR", "ce-gadolinium_T1w"), "stroke": ("FLAIR",)}
LOW, STEP = -1.0, 2 / 254  # of intensities as 8 bits; 0 is background


def write_slices(data, out, context=None):
    """All slices of all cohorts, alone or with neighbors, and which are for training."""
    from skad.datasets import load_bids  # the other commands run where no scan is read
    from skad.preprocessing import VolumePreprocessor

    arrays = {}
    for cohort, contrasts in CONTRASTS.items():
        volumes = load_bids(data / cohort, contrasts=contrasts)
        prepare = VolumePreprocessor(size=(128, 128), intensity="whitematter")
        prepare.fit([volume for volume in volumes if volume.info["fold"] == "train"])
        arrays |= _arrays(cohort, prepare.transform(volumes), context)
        if cohort == "glioma":
            arrays |= _arrays("ms", prepare.transform(load_bids(data / "ms", contrasts=contrasts)), context)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out, **arrays)


def _arrays(name, stack, context):
    index = stack.volume_index
    info = [volume.info for volume in stack.volumes]
    of_volumes = {
        "training": [each.get("fold") == "train" for each in info],
        "site": [str(each.get("site")) for each in info],
    }
    found = {
        "X": _packed(stack.seen_with(context)),
        "labels": np.packbits(stack.y > 0),
        "volume": index,
        "position": stack.positions,
        "pixel_size": pixel_sizes(stack),
        **{key: np.array(values)[index] for key, values in of_volumes.items()},
    }
    return {f"{name}_{key}": value for key, value in found.items()}


def _packed(X):
    return np.where(np.isnan(X), 0, np.clip(np.round((X - LOW) / STEP), 0, 254) + 1).astype(np.uint8)


def _unpacked(values):
    X = (values.astype(np.float32) - 1) * np.float32(STEP) + np.float32(LOW)
    return np.where(values == 0, np.float32(np.nan), X)


class Cohort:
    """All slices of a cohort.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Of the file that `write_slices` wrote.
    name : {"glioma", "ms", "stroke"}
    """

    def __init__(self, arrays, name):
        self.name = name
        self.X = _unpacked(arrays[f"{name}_X"])
        shape = (len(self.X), *self.X.shape[-2:])
        self.y = np.unpackbits(arrays[f"{name}_labels"], count=np.prod(shape)).reshape(shape)
        self.normal = ~self.y.any(axis=(1, 2))
        self.volume, self.position = arrays[f"{name}_volume"], arrays[f"{name}_position"]
        self.pixel_size, self.site = arrays[f"{name}_pixel_size"], arrays[f"{name}_site"]
        self.training = arrays[f"{name}_training"]

    @property
    def hospitals(self):
        """Those of the training patients."""
        return sorted(set(self.site[self.training].tolist()))

    def to_learn_from(self, left_out=None):
        """Normal slices of the training patients, without those of a hospital."""
        return self.X[self.training & self.normal & (self.site != left_out)]

    def to_judge(self, known, left_out=None):
        """The validation patients, or all patients of the hospital that was left out of the training.

        Parameters
        ----------
        known : sequence of str
            Hospitals of the training.
        left_out : str, default=None
            Another one.
        """
        validation = ~self.training
        if self.name == "stroke":  # a quarter of them was looked at while the ensemble was developed
            validation = validation & (np.cumsum(validation) % 4 != 1)
        new = self.site == left_out
        rows = validation if left_out is None else validation | new
        return Judged(self, rows, counted=rows if left_out is None else new, known=np.isin(self.site, known))


class Judged:
    """Slices to judge on.

    Attributes
    ----------
    name : str
        Of the cohort.
    X, y, normal, volume, position, pixel_size : ndarrays
        As those of :class:`Cohort`.
    sizes : int ndarray of the shape of y
        Pixels of the lesion that each pixel belongs to; 0 outside.
    counted : bool ndarray of shape (n_slices,)
        Which slices scores are of.
    known : bool ndarray of shape (n_slices,)
        Which slices are of a hospital of the training; false positives are told of both kinds.
    """

    def __init__(self, cohort, rows, counted, known):
        self.name = cohort.name
        self.X, self.y, self.normal = cohort.X[rows], cohort.y[rows], cohort.normal[rows]
        self.volume, self.position = cohort.volume[rows], cohort.position[rows]
        self.pixel_size = cohort.pixel_size[rows]
        self.counted, self.known = counted[rows], known[rows]
        self.sizes = np.stack([_lesion_sizes(y) for y in self.y])

    @property
    def flair(self):
        """The FLAIR images."""
        cohort = "stroke" if self.name == "stroke" else "glioma"
        return observed_images(self.X)[:, CONTRASTS[cohort].index("FLAIR")]


def _lesion_sizes(y):
    labels, _ = ndimage.label(y, np.ones((3, 3)))
    return np.bincount(labels.ravel())[labels] * (labels > 0)
