"""One HTML file of a cohort, with a viewer of every subject, that opens without a network."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import jinja2

from skad.utils.files import written_whole
from skad.utils.typing import PathLike

_HERE = files("skad.report")


@dataclass(frozen=True)
class SubjectReport:
    """The content of a report about one subject.

    Attributes
    ----------
    name : str
        Name of the subject.
    peak : float
        The highest anomaly score, by which subjects are sorted.
    volume_ml : float
        Volume of the voxels above the threshold, mL.
    warnings : list of str
        What a reader should know before trusting the map, a sentence each.
    lesions : list of dict or None
        Rows of :func:`skad.postprocessing.lesion_table`; None where no threshold defines lesions.
    viewer : dict or None
        Output of :func:`skad.report.viewer_data`; None gives no page.
    figure : str or None
        Link to the picture of the map, for a subject without a page.
    rates : dict of str to float
        If labels are known: ``dice``, ``sensitivity`` and ``n_false_positives`` (lesions) at the
        threshold.

    See Also
    --------
    skad.report.write_html : Writes the report.

    Examples
    --------
    >>> from skad.report import SubjectReport
    >>> subject = SubjectReport("sub-01", peak=8.2, volume_ml=3.1)
    >>> subject.lesions
    []
    """

    name: str
    peak: float
    volume_ml: float
    warnings: list = field(default_factory=list)
    lesions: list | None = field(default_factory=list)
    viewer: dict | None = None
    figure: str | None = None
    rates: dict = field(default_factory=dict)


def write_html(
    path: PathLike,
    subjects: Sequence[SubjectReport],
    *,
    title: str = "skad report",
    threshold: str | None = None,
    facts: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
    tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    figures: Mapping[str, Any] | None = None,
    details: Mapping[str, Mapping[str, str]] | None = None,
) -> PathLike:
    """Write a report: a table of the cohort and a page per subject with NiiVue as viewer.

    Parameters
    ----------
    path : path-like
        The file, complete or not at all.
    subjects : list of SubjectReport
        Subjects; they are sorted by their peak, highest first.
    title : str, default="skad report"
        Title of the page.
    threshold : str, default=None
        The threshold and its origin, as text.
    facts : dict of str to str, default=None
        Origin of the maps, such as detector, software and number of subjects.
    warnings : sequence of str, default=()
        Warnings about the cohort.
    tables : dict of str to list of dict, default=None
        Tables by heading, such as the scores per class.
    figures : dict of str to matplotlib.figure.Figure or bytes, default=None
        Figures, or the bytes of PNG files, by caption.
    details : dict of str to dict of str, default=None
        Facts of the detector by heading, such as its parameters; shown on a click.

    Returns
    -------
    pathlib.Path
        `path`.

    See Also
    --------
    skad.report.write_report : Makes the report of a folder of maps.

    Examples
    --------
    >>> import tempfile
    >>> from skad.report import SubjectReport, write_html
    >>> subject = SubjectReport("sub-01", peak=8.2, volume_ml=3.1)
    >>> write_html(f"{tempfile.mkdtemp()}/report.html", [subject]).split("/")[-1]
    'report.html'
    """
    page = _template().render(
        title=title,
        subjects=sorted(subjects, key=lambda subject: -subject.peak),
        unshown=sum(subject.viewer is None for subject in subjects),
        rated=any(subject.rates for subject in subjects),
        counted=any(subject.lesions is not None for subject in subjects),
        threshold=threshold,
        facts=facts or {},
        warnings=warnings,
        tables=tables or {},
        details=details or {},
        figures={caption: _png(figure) for caption, figure in (figures or {}).items()},
        niivue=base64.b64encode((_HERE / "niivue" / "niivue.umd.js.gz").read_bytes()).decode(),
        license=(_HERE / "niivue" / "LICENSE.txt").read_text(encoding="utf-8"),
    )
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _template():
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skad.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    return environment.get_template("report.html")


def _cell(value):
    """A number as people read it, anything else as it is."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return value


def _png(figure):
    if not isinstance(figure, bytes):
        with io.BytesIO() as buffer:
            figure.savefig(buffer, format="png", dpi=120)
            figure = buffer.getvalue()
    return base64.b64encode(figure).decode()
