"""Which files of a session belong together: a contrast's image, and the mask and labels that fit it."""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from skad.datasets.bids_names import SHARED_ENTITIES
from skad.datasets.cases import Annotations, Case
from skad.datasets.files import Unused


@dataclass(frozen=True)
class BidsCase(Case):
    """A case whose masks and labels are chosen by the entities they share with the images.

    Attributes
    ----------
    scans : tuple of BidsFile
        All measured images of the session.
    alternatives : tuple of (BidsFile, Unused)
        Those of them that no contrast's name stands for, and why.
    candidates : dict of str to list of BidsFile
        Annotations under "labels" and "mask".
    what : str
        What the labels show.
    """

    scans: tuple = ()
    alternatives: tuple = ()
    candidates: dict = field(default_factory=dict)
    what: str = "lesion"

    @property
    def files(self):
        """All files that belong to the case."""
        return super().files | {file.path for files in self.candidates.values() for file in files}

    def annotations(self, images):
        """The annotations that share their entities with the images, and why the others do not."""
        chosen = [scan for scan in self.scans if scan.path in images]
        shown = {scan.contrast for scan in chosen}
        best, unused = (
            {},
            [
                replace(why, doubtful=why.doubtful and scan.contrast not in shown)
                for scan, why in self.alternatives
                if scan not in chosen
            ],
        )
        for kind, what in (("labels", self.what), ("mask", "brain")):
            mismatches = {file: _mismatch(file, chosen, self.scans) for file in self.candidates.get(kind, ())}
            fitting = [file for file, reason in mismatches.items() if not reason]
            fitting.sort(key=lambda file, what=what: _preference(file, what))
            unused += [
                Unused(file.path, reason, doubtful=not fitting)
                for file, reason in mismatches.items()
                if reason
            ]
            if fitting:
                best[kind] = fitting[0].path
                unused += [_second(file, fitting[0], kind, what) for file in fitting[1:]]
        return Annotations(best.get("labels"), best.get("mask"), tuple(unused))


def _second(file, first, kind, what):
    """An annotation that fits as well as the first; other lesions than those of the labels are doubtful."""
    doubtful = kind == "labels" and what == "lesion" and file.rest != first.rest
    return Unused(file.path, f"is not used, because {first.path.name} is taken as the {kind}", doubtful)


def by_contrast(scans):
    """Images under their contrast's name, where it leaves no doubt which one is meant, and the others."""
    suffixes = {scan.suffix for scan in scans}
    spaces = defaultdict(list)
    for scan in scans:
        spaces[scan.space(suffixes)].append(scan)
    main = max(
        spaces, key=lambda space: (len({scan.contrast for scan in spaces[space]}), space == ""), default=""
    )
    alternatives = [
        (
            scan,
            Unused(
                scan.path,
                f"lies in {_space(space)}, other scans in {_space(main)}: ask for it as {scan.rest}",
            ),
        )
        for space in spaces
        if space != main
        for scan in spaces[space]
    ]
    candidates = defaultdict(list)
    for scan in spaces.get(main, ()):
        candidates[scan.contrast].append(scan)
    images = {}
    for contrast, files in candidates.items():
        chosen = _choose(contrast, files)
        if chosen is not None:
            images[contrast] = chosen.path
        alternatives += [
            (file, _not_chosen(file, chosen, contrast, files)) for file in files if file is not chosen
        ]
    return images, alternatives


def _choose(contrast, files):
    plain = next((file for file in files if file.rest == contrast), None)
    if plain is not None:
        return plain
    one_apart_from_runs = len({_without_run(file) for file in files}) == 1
    return min(files, key=lambda file: (file.run, file.rest)) if one_apart_from_runs else None


def _not_chosen(file, chosen, contrast, files):
    if chosen is not None:
        return Unused(file.path, f"is another {contrast} than {chosen.path.name}, which is used")
    names = ", ".join(sorted(each.rest for each in files))
    return Unused(
        file.path, f"is one of several {contrast} ({names}): ask for one by its full name", doubtful=True
    )


def _without_run(file):
    return "_".join(part for part in file.rest.split("_") if not part.startswith("run-"))


def _mismatch(file, chosen, scans):
    """Why an annotation does not belong to the chosen images; empty where it does."""
    suffixes = {scan.suffix for scan in scans}
    space, spaces = file.space(suffixes), {scan.space(suffixes) for scan in chosen}
    if spaces and space not in spaces:
        return (
            f"lies in {_space(space)}, the scans in {', '.join(map(_space, sorted(spaces)))}: it is not used"
        )
    contrasts = {scan.contrast for scan in chosen}
    for entity in SHARED_ENTITIES:
        value = _value(file, entity)
        offered = {_value(scan, entity) for scan in chosen}
        if not offered or value in offered:
            continue
        if value is not None:
            return (
                f"belongs to {entity}-{file.entities[entity]}, which is not that of the scans: it is not used"
            )
        rivals = {_value(scan, entity) for scan in scans if scan.contrast in contrasts}
        if len(rivals) > 1:
            return f"does not say to which {entity} it belongs: it is not used"
    return ""


def _space(space):
    return f"space {space}" if space else "the space of the scanner"


def _value(file, entity):
    """An entity's value; numbers compare as numbers."""
    value = file.entities.get(entity)
    return int(value) if value is not None and value.isdecimal() else value


def _preference(file, what):
    """Sorts annotations: beside the scans, exactly named, briefly named."""
    return file.derived, not file.is_exactly(what), len(file.rest.split("_")), file.rest
