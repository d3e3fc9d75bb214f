"""What the name of a file in a BIDS folder says: whose it is, what it shows, and which scan it belongs to."""

import re
from dataclasses import dataclass
from pathlib import Path

from skad.datasets.files import stem

# Suffixes of what a scanner measured or what has been computed voxel by voxel from it: the only contrasts.
MEASURED = {
    suffix.casefold()
    for suffix in (
        "T1w T2w PDw FLAIR T2starw PDT2 inplaneT1 inplaneT2 angio UNIT1 MP2RAGE MPM MTw MTR VFA IRT1 MESE "
        "MEGRE SWI minIP STIR DIR PSIR dwi trace ADC FA asl perf CT PET "
        "T1map R1map T2map R2map T2starmap R2starmap T1rho PDmap MTRmap MTsat MTVmap MWFmap Chimap M0map "
        "CBF CBV"
    ).split()
}
ANNOTATIONS = ("mask", "roi", "dseg", "seg")
LESION = re.compile(r"lesion|wmh|tumou?r|infarct|stroke", re.IGNORECASE)
BRAIN = re.compile(r"brain(mask)?", re.IGNORECASE)
# Masks of something else, by name: nobody wonders why they are not used.
OTHER_ANATOMY = re.compile(
    r"[GWC]M|CSF|[LR]|aseg|aparc\w*|aparcaseg|ribbon|head|skull|face|eyes?|thalamus|hippocampus|ventricles?|"
    r"carveme\w*|boldref\w*|hmc\w*",
    re.IGNORECASE,
)
MASK_LIKE = re.compile(
    r"mask|roi|seg|label|lesion|manual|truth|annot|wmh|tumou?r|infarct|stroke", re.IGNORECASE
)
FACE = re.compile(r"deface\w*|\w*face\w*mask", re.IGNORECASE)

# Entities that do not say what was measured; only files that differ in them have to be told apart.
SILENT_ENTITIES = ("acq", "rec", "run", "dir", "space", "desc", "res", "echo", "part", "chunk")
# Entities that an image shares with its mask and its labels.
SHARED_ENTITIES = ("acq", "rec", "run", "res")
NATIVE_SPACES = ("orig", "native", "individual", "scanner")


@dataclass(frozen=True, eq=False)
class BidsFile:
    """A file whose name begins with ``sub-``, taken apart.

    Attributes
    ----------
    path : pathlib.Path
    subject, session : str
        ``sub-*``; ``ses-*`` or empty.
    rest : str
        What follows these.
    entities : dict of str to str
        Without subject and session.
    bare : tuple of str
        Parts that are neither entity nor suffix, as ``T1w`` in ``T1w_label-lesion_roi``.
    suffix : str
    derived : bool
        Whether it lies under ``derivatives/``.
    """

    path: Path
    subject: str
    session: str
    rest: str
    entities: dict
    bare: tuple
    suffix: str
    derived: bool

    @classmethod
    def parse(cls, path, folders):
        """Take a name apart; `folders` are the names of the folders it lies in, from the cohort's on."""
        parts = stem(path).split("_")
        in_name = next((part for part in parts[1:-1] if part.startswith("ses-")), "")
        session = in_name or next((name for name in folders if name.startswith("ses-")), "")
        rest = [part for part in parts[1:] if part != in_name or not in_name]
        middle = [part.partition("-") for part in rest[:-1]]
        return cls(
            path,
            parts[0],
            session,
            "_".join(rest),
            {key: value for key, dash, value in middle if dash},
            tuple(key for key, dash, _ in middle if not dash),
            rest[-1] if rest else "",
            "derivatives" in folders,
        )

    @property
    def contrast(self):
        """The contrast's name: suffix and the entities that say what was measured."""
        return "_".join(part for part in self.rest.split("_") if part.split("-")[0] not in SILENT_ENTITIES)

    @property
    def is_measured(self):
        """Whether it is an image and no annotation."""
        return self.suffix.casefold() in MEASURED and "label" not in self.entities

    @property
    def run(self):
        """The run as a number, or as text where it is none; sorts numerically."""
        run = self.entities.get("run", "")
        return (int(run), "") if run.isdecimal() else (0, run)

    def shows(self, what):
        """Whether it is an annotation of `what`: "lesion", "brain", or the value of ``label`` or ``desc``."""
        if self.is_measured:
            return False
        if what not in ("lesion", "brain"):
            named = what in (self.entities.get("label"), self.entities.get("desc"))
            return (named and self.suffix in ANNOTATIONS) or self.suffix == what
        if self.suffix.casefold() not in ANNOTATIONS:
            return bool((LESION.search if what == "lesion" else BRAIN.fullmatch)(self.suffix)) and (
                "probseg" not in self.suffix
            )
        said = [self.entities.get("label", ""), self.entities.get("desc", ""), *self.bare]
        shown = next((kind for text in said if (kind := _kind(text))), None)
        return shown == what

    def is_exactly(self, what):
        """Whether it says so in so many letters."""
        return what in (self.entities.get("label"), self.entities.get("desc"), self.suffix)

    @property
    def looks_like_a_mask(self):
        """Whether somebody may expect it to be read as labels or mask, though its name does not say which."""
        said = [self.entities.get("label", ""), self.entities.get("desc", "")]
        if FACE.search(self.rest) or any(OTHER_ANATOMY.fullmatch(text) for text in said if text):
            return False
        if self.suffix in ("dseg", "probseg") and not LESION.search(self.rest):
            return False  # of tissues, as BIDS has them
        return bool(MASK_LIKE.search(self.suffix) or LESION.search(self.rest))

    def space(self, contrasts):
        """The space, empty for that of the subject's own scans, one of which may be named."""
        space = self.entities.get("space", "")
        native = {*NATIVE_SPACES, *(name.casefold() for name in contrasts)}
        return "" if space.casefold() in native else space


def _kind(text):
    return "lesion" if LESION.search(text) else "brain" if BRAIN.fullmatch(text) else None
