"""What goes wrong between a scan on disk and a Volume."""


class VolumeReadError(ValueError):
    """A scan cannot be used; the message names the file and the remedy in one sentence.

    See Also
    --------
    skad.io.read_volume : Raises it.

    Examples
    --------
    >>> from skad.io import VolumeReadError, read_volume
    >>> try:
    ...     read_volume({"T1w": "missing.nii.gz"})
    ... except VolumeReadError as error:
    ...     print("missing.nii.gz" in str(error))
    True
    """


class VolumeWriteError(ValueError):
    """A map cannot be written; the message names the path and the remedy in one sentence.

    See Also
    --------
    skad.io.write_map : Raises it.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.io import Volume, VolumeWriteError, write_map
    >>> volume = Volume({"T1w": np.ones((7, 8, 9))}, np.eye(4))
    >>> try:
    ...     write_map(np.zeros((7, 8, 9)), volume, "map.png")
    ... except VolumeWriteError as error:
    ...     print("map.png" in str(error))
    True
    """


class GeometryWarning(UserWarning):
    """The position of an image is uncertain; the message tells the assumption made and the distance in mm.

    See Also
    --------
    skad.io.read_volume : Gives the warning, once per subject.

    Examples
    --------
    >>> import warnings
    >>> from skad.io import GeometryWarning
    >>> warnings.simplefilter("error", GeometryWarning)  # refuses scans in doubt
    """


class OtherGridWarning(GeometryWarning):
    """A contrast lies on another grid than the first one, which matters unless co-registration follows.

    See Also
    --------
    skad.io.GeometryWarning : The warning of all doubts about the position of an image.

    Examples
    --------
    >>> import warnings
    >>> from skad.io import OtherGridWarning
    >>> warnings.simplefilter("ignore", OtherGridWarning)  # before co-registration
    """
