"""``skad restore``: maps of prepared scans back on the grids of the original scans."""

from pathlib import Path

from skad.cli.output import tell
from skad.derivatives.naming import map_name
from skad.io import save_image
from skad.preparation import restore_map

MAPS = "sub-*/**/*_desc-anomaly_map.nii.gz"


def restore(maps, prepared, *, out):
    """Put maps of prepared scans onto the grids of the original scans; parameters as in the help.

    Returns
    -------
    int
        The exit code, 0.

    Raises
    ------
    ValueError
        There are no maps, or a map belongs to no prepared subject.
    """
    paths = sorted(Path(maps).glob(MAPS))
    if not paths:
        raise ValueError(
            f"{maps} has no sub-*/anat/sub-*_desc-anomaly_map.nii.gz: give a folder of `skad score`."
        )
    count = 0
    for path in paths:
        for contrast, image in restore_map(path, prepared).items():
            name = (
                f"{map_name(path)}_space-{contrast.replace('_', '').replace('-', '')}_desc-anomaly_map.nii.gz"
            )
            save_image(image, Path(out) / path.parent.relative_to(maps) / name)
            count += 1
    tell(f"{count} maps in {out}, on the grids of the original scans.")
    return 0
