"""The phantom's anatomy as labels, to train a segmentation network on."""

from collections.abc import Sequence

import numpy as np

from skad.datasets.phantom.anatomy import TISSUES
from skad.io import Volume

ANATOMY = {
    "other": 0,
    "brain": 1,
    "white_matter": 2,
    "csf": 3,
    "ventricles": 4,
    "cerebellum": 5,
    "brainstem": 6,
    "eyes": 7,
}
"""Anatomical classes of `label_anatomy`, after those of K's segmentation network (III-C.5). They exclude
each other: "brain" is what the parts leave of it, the gray matter of the hemispheres; "other" is skull,
scalp, face, air and vessels."""

_CLASS_OF_TISSUE = np.zeros(len(TISSUES), dtype=np.uint8)
for _tissue, _value in TISSUES.items():
    _CLASS_OF_TISSUE[_value] = ANATOMY.get("brain" if _tissue == "gray_matter" else _tissue, ANATOMY["other"])


def label_anatomy(volumes: Sequence[Volume]) -> list[Volume]:
    """Replace the lesion labels of phantoms by labels of their normal anatomy.

    `VolumePreprocessor` then gives the anatomical classes of the slices as `y`, by nearest neighbors, for
    :class:`skad.anatomy.AnatomySegmenter`.

    Parameters
    ----------
    volumes : list of skad.io.Volume
        From `make_phantom`.

    Returns
    -------
    list of skad.io.Volume
        They share the voxels of `volumes`; `.labels`: values of `ANATOMY`, the normal anatomy also where
        there is a lesion. With other anatomical labels in files, load these as the volumes' labels.

    Raises
    ------
    ValueError
        A volume is no phantom.

    See Also
    --------
    skad.datasets.make_phantom : Makes the phantoms.
    skad.anatomy.AnatomySegmenter : Learns these labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.datasets import ANATOMY, label_anatomy, make_phantom
    >>> head, = label_anatomy(make_phantom(1, shape=(32, 40, 12), lesion=None, skull=True, random_state=0))
    >>> [name for name, value in ANATOMY.items() if value in head.labels]
    ['other', 'brain', 'white_matter', 'csf', 'ventricles', 'cerebellum', 'brainstem', 'eyes']
    """
    return [_labeled(volume) for volume in volumes]


def _labeled(volume):
    if "tissues" not in volume.info:
        raise ValueError(
            f"Subject {volume.subject!r} should be a phantom, whose info holds its tissues: "
            "load anatomical labels from files with load_bids(labels=...) or load_folder(labels=...)."
        )
    return Volume(
        volume.contrasts.sources,
        volume.affine,
        subject=volume.subject,
        labels=_CLASS_OF_TISSUE[volume.info["tissues"]],
        mask=volume.mask,
        header=volume.header,
        info=volume.info,
    )
