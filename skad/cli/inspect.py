"""``skad inspect``: what of a folder of scans would be used, what not, and why."""

import warnings

from skad.cli.cohort import caution, check_strict, dataset_of, selection_of
from skad.cli.feedback import say
from skad.cli.json_output import record
from skad.cli.output import complain, tell
from skad.datasets import take_inventory
from skad.io import GeometryWarning, VolumeReadError


def inspect(folder, *, contrasts=None, where=()):
    """Show the inventory of a folder; parameters as in ``skad inspect --help``.

    Headers are opened, voxels are not read.

    Returns
    -------
    int
        0; 1 when some scans cannot be opened; 2 when none can.

    Raises
    ------
    ValueError
        The folder is in no known layout; with ``--strict`` also what is not used.
    """
    folder, subjects = dataset_of(folder)
    inventory = take_inventory(folder, contrasts=contrasts, **selection_of(where, subjects))
    geometry, errors = _open(inventory.scans)
    content = inventory.to_dict()
    record(inventory=content, geometry=geometry)
    tell(f"{folder} ({inventory.layout}): {inventory.summary()}")
    for scan, row in zip(inventory.scans, content["scans"], strict=True):
        _print_scan(scan.name, row, geometry.get(scan.name))
    for each in content["unused"]:
        say(f"{'!' if each['doubtful'] else '-'} {each['path']} {each['reason']}")
    for doubt in inventory.doubts:
        caution(doubt)
    complain("inspect", errors)
    check_strict(inventory)
    return 0 if not errors else 2 if len(errors) == len(inventory.scans) else 1


def _open(scans):
    """Grid and notes of each scan, and those that cannot be opened."""
    geometry, errors = {}, {}
    for scan in scans:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", GeometryWarning)  # they come as notes
                volume = scan.open(missing="nan")
        except VolumeReadError as error:
            errors[scan.name] = error
        else:
            geometry[scan.name] = {
                "shape": volume.shape,
                "voxel_size": [round(length, 4) for length in volume.voxel_size],
                "notes": volume.info.get("notes", []),
            }
    return geometry, errors


def _print_scan(name, row, geometry):
    """A line of what is used, and one for each note."""
    found = [contrast for contrast, path in row["contrasts"].items() if path]
    extras = [kind for kind in ("mask", "labels") if row[kind]]
    runs = [f"{contrast} run {run}" for contrast, run in row["runs"].items()]
    grid = "cannot be opened"
    if geometry:
        shape, edges = ("x".join(f"{n:.3g}" for n in geometry[key]) for key in ("shape", "voxel_size"))
        grid = f"{shape} voxels of {edges} mm"
    say(f"  {name}: {', '.join([*found, *extras, *runs])}; {grid}")
    for note in [*row["notes"], *(geometry or {}).get("notes", [])]:
        say(f"    {note}")
