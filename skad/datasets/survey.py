"""Which of the files that a layout found are used, and why the others are not."""

from collections.abc import Mapping, Sequence

from skad.datasets.cases import Found, cases_where, chosen, common_contrasts
from skad.datasets.files import Listing, Unused
from skad.datasets.inventory import Inventory
from skad.datasets.scan import Scan


def survey(
    listing: Listing,
    found: Found,
    *,
    contrasts: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    sessions: Sequence[str] | None = None,
    where: Mapping[str, str | Sequence[str]] | None = None,
) -> Inventory:
    """Decide which of the files that a layout found are used.

    Parameters
    ----------
    listing : Listing
    found : Found
        With at least one case.
    contrasts : sequence of str, default=None
        None takes those that all chosen cases have.
    subjects, sessions : sequence of str, default=None
        With or without ``sub-`` and ``ses-``; None takes all.
    where : dict of str to str, default=None
        Columns of participants.tsv and the value, or any of the values, that they should have.

    Returns
    -------
    Inventory
        Files of cases that are not chosen are not in it.
    """
    cases = cases_where(chosen(found.cases, subjects, sessions), where or {})
    names = common_contrasts(cases) if contrasts is None else tuple(contrasts)
    scans, unused = [], {each.path: each for each in found.unused}
    for case in cases:
        scan, left_out = _scan(case, names)
        scans.append(scan)
        unused |= {each.path: each for each in left_out}
    used = {path for scan in scans for path in (*scan.images.values(), scan.labels, scan.mask)}
    used_cases = {id(case) for case in cases}
    passed_over = {path for case in found.cases if id(case) not in used_cases for path in case.files}
    rest = [
        unused.get(path, Unused(path, "belongs to no scan"))
        for path in listing.images
        if path not in used and (path not in passed_over or path in unused)
    ]
    everything = sorted([*rest, *listing.unused], key=lambda each: each.path)
    return Inventory(listing.folder, found.layout, names, tuple(scans), tuple(everything))


def _scan(case, contrasts):
    """What is used of a case, and why the rest of its images is not."""
    images = {name: case.available.get(name) for name in contrasts}
    chosen = [path for path in images.values() if path is not None]
    annotations = case.annotations(chosen)
    left_out = [
        Unused(path, f"shows {name}, which is not among the contrasts {', '.join(contrasts)}")
        for name, path in case.images.items()
        if path not in chosen
    ]
    runs = {
        name: part.removeprefix("run-")
        for name, path in images.items()
        if path is not None
        for part in path.name.split("_")
        if part.startswith("run-")
    }
    scan = Scan(
        case.subject,
        case.session,
        images,
        annotations.labels,
        annotations.mask,
        runs,
        annotations.notes,
        case.info,
        tuple(sorted(case.available)),
    )
    return scan, [*left_out, *annotations.unused]
