"""``skad restore``: maps of prepared scans back on the grids of the original scans."""

from skad.cli.terminal import tell
from skad.preparation import restore_maps


def restore(maps, prepared, *, out):
    """Put maps of prepared scans onto the grids of the original scans."""
    written = restore_maps(maps, prepared, out)
    tell(f"{len(written)} maps in {out}, on the grids of the original scans.")
    return 0
