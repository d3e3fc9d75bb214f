"""A cohort as a BIDS dataset on disk."""

from collections.abc import Iterable
from pathlib import Path

from skad.io import Volume, write_map
from skad.utils.files import write_json
from skad.utils.typing import PathLike
from skad.version import GENERATED_BY

BIDS_VERSION = "1.11.1"
MASKS = "derivatives/masks"  # raw data in BIDS hold what the scanner measured only


def write_bids(volumes: Iterable[Volume], folder: PathLike, *, name: str) -> None:
    """Write volumes as a BIDS dataset, with labels and brain masks as a derivative in it.

    Parameters
    ----------
    volumes : iterable of Volume
        What to write. Subjects may lack ``sub-``.
    folder : path-like
        Gets ``sub-*/anat/sub-*_T1w.nii.gz`` and the like, and ``derivatives/masks`` with
        ``sub-*_label-lesion_mask.nii.gz`` and ``sub-*_label-brain_mask.nii.gz`` of the volumes that have
        labels or a mask.
    name : str
        What the dataset is, for its description.

    Raises
    ------
    WriteError
        The folder cannot be written.

    See Also
    --------
    load_bids : Read the folder.

    Examples
    --------
    >>> import tempfile
    >>> from skad.datasets import load_bids, make_phantom, write_bids
    >>> volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), lesion="glioma", random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bids(volumes, folder, name="two phantoms")
    ...     [volume.subject for volume in load_bids(folder)]
    ['sub-phantom01', 'sub-phantom02']
    """
    folder = Path(folder)
    for volume in volumes:
        subject = f"sub-{volume.subject.removeprefix('sub-')}"
        masks = {"label-lesion_mask": volume.labels, "label-brain_mask": volume.mask}
        for place, images in ((folder, volume.contrasts), (folder / MASKS, masks)):
            for ending, image in images.items():
                if image is not None:
                    write_map(image, volume, place / subject / "anat" / f"{subject}_{ending}.nii.gz")
    description = {"Name": name, "BIDSVersion": BIDS_VERSION, "GeneratedBy": GENERATED_BY}
    write_json(description | {"DatasetType": "raw"}, folder / "dataset_description.json")
    write_json(description | {"DatasetType": "derivative"}, folder / MASKS / "dataset_description.json")
