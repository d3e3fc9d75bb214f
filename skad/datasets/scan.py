"""The files that are used of one session of one subject."""

from dataclasses import dataclass
from pathlib import Path

from skad.io import Volume, VolumeReadError, read_volume
from skad.utils.names import nearest


@dataclass(frozen=True)
class Scan:
    """The files used for one session of one subject.

    Attributes
    ----------
    subject, session : str
        The session is empty where there is none.
    images : dict of str to pathlib.Path or None
        The file of each contrast; None if the subject lacks it.
    labels, mask : pathlib.Path or None
        The files of the lesion labels and of the brain mask, if there are any.
    runs : dict of str to str
        The run of each contrast whose name has one.
    notes : tuple of str
        Assumptions that were made, a sentence each.
    info : dict of str to str
        Further columns, such as those of participants.tsv.
    available : tuple of str
        Names of all images that ``contrasts`` may select.

    See Also
    --------
    skad.datasets.Inventory : All scans of a folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad.datasets import take_inventory
    >>> anat = Path(tempfile.mkdtemp(), "sub-01", "anat")
    >>> anat.mkdir(parents=True)
    >>> for name in ("sub-01_T1w.nii.gz", "sub-01_FLAIR.nii.gz", "sub-01_notes.nii.gz"):
    ...     (anat / name).touch()
    >>> scan, = take_inventory(anat.parents[1]).scans
    >>> scan.subject, scan.images["FLAIR"].name, scan.labels
    ('sub-01', 'sub-01_FLAIR.nii.gz', None)
    """

    subject: str
    session: str
    images: dict
    labels: Path | None
    mask: Path | None
    runs: dict
    notes: tuple
    info: dict
    available: tuple

    @property
    def name(self) -> str:
        """Subject and, where there are sessions, session."""
        return "_".join(filter(None, (self.subject, self.session)))

    def open(self, *, missing: str = "raise") -> Volume:
        """The volume; headers are checked now, voxels are read when they are accessed.

        Parameters
        ----------
        missing : {"raise", "nan"}, default="raise"
            What a contrast becomes that the subject does not have: an error or NaN everywhere.

        Returns
        -------
        Volume

        Raises
        ------
        VolumeReadError
            Names the subject and the contrast that it lacks, or the file that cannot be read.
        """
        absent = [name for name, path in self.images.items() if path is None]
        if absent and missing == "raise":
            raise VolumeReadError(
                f"Subject {self.name!r} has no contrast {absent[0]!r} (it has {', '.join(self.available)}): "
                + (
                    nearest(absent[0], self.available, cutoff=0.8)
                    or "add the image, or choose other contrasts."
                )
            )
        return read_volume(
            self.images, subject=self.subject, labels=self.labels, mask=self.mask, info=self.info
        )
