"""What goes wrong between a scan on disk and a Volume."""


class VolumeReadError(ValueError):
    """A scan cannot be used; the message is one sentence that names the file and the remedy."""


class VolumeWriteError(ValueError):
    """A map cannot be written; the message is one sentence that names the path and the remedy."""


class GeometryWarning(UserWarning):
    """A header leaves the place of an image in doubt; the message says what was taken and by how many mm."""


class OtherGridWarning(GeometryWarning):
    """A contrast lies on another grid than the first one, which matters unless co-registration follows."""
