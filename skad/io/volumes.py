"""Volumes in a list, or what to give instead of what was given; and what they are called."""

from collections.abc import Iterable

from skad.io.volume import Volume


def list_volumes(volumes: Iterable[Volume]) -> list[Volume]:
    """A list of at least one Volume.

    Raises
    ------
    ValueError
        `volumes` are something else, such as a single volume or slices; the message has the remedy.
    """
    found = list(volumes) if isinstance(volumes, Iterable) else []
    if found and all(isinstance(each, Volume) for each in found):
        return found
    raise ValueError(
        f"volumes should be a list of at least one Volume, got {_what(volumes)}: {_remedy(volumes)}"
    )


def name_of(volume: Volume) -> str:
    """Subject and, where there are several, session: what a volume is called in tables and messages."""
    return "_".join(filter(None, (volume.subject, volume.info.get("session"))))


def _what(volumes):
    empty = isinstance(volumes, list | tuple) and not volumes
    return f"{'an empty ' * empty}{type(volumes).__name__}"


def _remedy(volumes):
    if isinstance(volumes, Volume):
        return "put a single volume into a list."
    if hasattr(volumes, "X") or hasattr(volumes, "__array__"):
        return "slices go to reconstructors and scorers, volumes to VolumeAnomalyDetector and preprocessors."
    return "read scans with skad.datasets.load_bids, load_folder or skad.io.read_volume."
