"""``skad inspect``: what of a folder of scans would be used, what not, and why."""

from skad.cli.scans import check_strict, inventory_of
from skad.cli.terminal import complain, record, say, tell, warn


def inspect(folder, *, contrasts, where, strict):
    """Show the inventory of a folder; 1 when some scans cannot be opened, 2 when none can."""
    inventory = inventory_of(folder, contrasts=contrasts, where=where)
    geometry, errors = inventory.geometry()
    content = inventory.to_dict()
    record(inventory=content, geometry=geometry)
    tell(f"{inventory.folder} ({inventory.layout}): {inventory.summary()}")
    for scan, row in zip(inventory.scans, content["scans"], strict=True):
        _print_scan(scan.name, row, geometry.get(scan.name))
    for each in content["unused"]:
        say(f"{'!' if each['doubtful'] else '-'} {each['path']} {each['reason']}")
    for doubt in inventory.doubts:
        warn(doubt)
    complain(errors)
    if strict:
        check_strict(inventory)
    return 0 if not errors else 2 if len(errors) == len(inventory.scans) else 1


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
