"""The report of a folder of maps."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from skad.derivatives import Derivative
from skad.derivatives.naming import figure_path
from skad.evaluation import Evaluation
from skad.io import Volume
from skad.report.gallery import VIEWERS, Gallery, volume_above
from skad.report.html import write_html
from skad.report.labels import LabelScores, label_figures
from skad.utils.messages import counted, one_line
from skad.utils.progress import Progress
from skad.utils.typing import PathLike


def write_report(
    maps: Derivative,
    volumes: Iterable[Volume],
    path: PathLike,
    *,
    evaluation: Evaluation | LabelScores | None = None,
    threshold: float | None = None,
    viewers: int = VIEWERS,
    scans: PathLike | None = None,
    gallery: Gallery | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Exception]:
    """Write the report of a folder of maps: one HTML file that opens without a network connection.

    Parameters
    ----------
    maps : Derivative
        All its maps are shown; ``maps.only(volumes)`` is the part that is of some volumes.
    volumes : iterable of Volume
        The scans, to lie under the maps, with labels where they are known; maps without one are shown alone.
    path : path-like
        For example ``"report.html"``; complete or not at all.
    evaluation : Evaluation, default=None
        Of :func:`skad.evaluation.evaluate`: its tables are shown.
    threshold : float, default=None
        Scores above it count as abnormal; None takes that of the maps.
    viewers : int, default=10
        Subjects with a page to look around in, highest peaks first, 2 to 10 MB each at 1 mm.
    scans : path-like, default=None
        The folder of the scans, whose name is told.
    gallery : Gallery, default=None
        Pages made when the maps were scored; only those it lacks are made now.
    notes : sequence of str, default=()
        What a reader should know of all maps, to be told before their warnings.

    Returns
    -------
    dict of str to Exception
        Of the maps that cannot be shown, by name.

    Raises
    ------
    ValueError
        None of the maps can be shown, or the file cannot be written.

    See Also
    --------
    skad.derivatives.Derivative : The folder of maps.

    Examples
    --------
    >>> import tempfile
    >>> from skad import VolumeAnomalyDetector
    >>> from skad.datasets import make_phantom
    >>> from skad.evaluation import evaluate
    >>> from skad.preprocessing import VolumePreprocessor
    >>> from skad.report import write_report
    >>> from skad.scoring import IntensityScorer
    >>> volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), random_state=0)
    >>> detector = VolumeAnomalyDetector(
    ...     IntensityScorer(), preprocessor=VolumePreprocessor(size=(32, 32))
    ... ).fit(volumes)
    >>> folder = tempfile.mkdtemp()
    >>> maps = detector.score_cohort(volumes, out=folder)
    >>> write_report(maps, volumes, f"{folder}/report.html", evaluation=evaluate(maps, volumes))
    {}
    """
    used, origin = maps.threshold() if threshold is None else (threshold, "as asked for")
    gallery = Gallery(viewers=viewers, threshold=used) if gallery is None else gallery
    errors = _complete(gallery, maps, list(volumes))
    scores = _label_scores(evaluation)
    subjects = [
        replace(
            _subject(gallery, record, used),
            rates=scores.rates(record),
            figure=_link(record, Path(path)) if record.has_figure() else None,
        )
        for record in maps
        if record.path in gallery.pages
    ]
    if not subjects:
        raise ValueError(f"{maps.folder}: none of the {len(maps)} maps can be shown.")
    not_shown = {name: one_line(error) for name, error in (errors | maps.errors).items()}
    write_html(
        path,
        subjects,
        title=f"Anomaly maps of {counted(len(subjects), 'subject')}",
        threshold=f"Threshold: a score of {used:.4g}, {origin}.",
        facts=_facts(maps, scans, list(volumes)),
        warnings=[
            *notes,
            *maps.warnings,
            *(f"{name} is not shown: {error}" for name, error in not_shown.items()),
        ],
        details=maps.about,
        tables=scores.tables(),
        figures=label_figures(gallery.histogram, scores),
    )
    return errors


def _link(record, path):
    return Path(os.path.relpath(figure_path(record.path), path.parent)).as_posix()


def _label_scores(evaluation):
    if evaluation is None or isinstance(evaluation, LabelScores):
        return evaluation or LabelScores()
    return LabelScores.of(evaluation)


def _complete(gallery, maps, volumes):
    """Make the pages that the gallery lacks, highest peaks first; the errors of those that fail."""
    waiting = sorted(
        (record for record in maps if record.path not in gallery.pages), key=lambda record: -record.peak
    )
    by_path = {record.path: volume for record, volume in maps.pairs(volumes)}
    errors = {}
    with Progress("report", len(waiting)) as progress:
        for record in waiting:
            volume = by_path.get(record.path)
            try:
                if volume is not None:
                    record.check_grid(volume)
                    volume = volume.cached()
                gallery.keep(record, gallery.page(record, volume, record.anomaly))
            except (ValueError, OSError) as error:
                errors[record.name] = error
            progress.step(record.name)
    return errors


def _subject(gallery, record, threshold):
    """The page of a map, with the warnings that its place in the cohort adds."""
    page = gallery.pages[record.path]
    if page.volume_ml != page.volume_ml:  # no threshold was known when the page was made
        viewer = page.viewer and page.viewer | {"map": page.viewer["map"] | {"threshold": threshold}}
        page = replace(page, volume_ml=volume_above(record.anomaly, threshold, record), viewer=viewer)
    return replace(page, warnings=[*page.warnings, *record.warnings])


def _facts(maps, scans, volumes):
    models = [f"{name}, SHA-256 {sha[:12]}…" for sha, name in maps.models.items()]
    facts = {"maps": maps.folder.name}
    if scans is not None:
        facts["scans"] = Path(scans).name
    elif not volumes:
        facts["scans"] = "not given (--scans): maps are shown without the images"
    return facts | {
        "contrasts": ", ".join(maps.contrasts),
        "detector": "; ".join(models),
        "made with": maps[0].sidecar.software,
    }
