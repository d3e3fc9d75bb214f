"""The quality page of a prepared cohort: every subject's picture, the doubtful ones first."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from skad.utils.files import written_whole
from skad.utils.messages import counted
from skad.utils.typing import PathLike


def write_preparation_page(
    subjects: Sequence[Any], path: PathLike, *, failed: Mapping[str, str] | None = None
) -> PathLike:
    """Write the page of all figures of ``skad prepare``, for quality control.

    Parameters
    ----------
    subjects : list of skad.preparation.Prepared
        Prepared subjects; their figures are linked relative to the page.
    path : path-like
        The page, for example ``prepared/quality.html``.
    failed : dict of str to str, default=None
        Errors of the subjects that could not be prepared, by name.

    Returns
    -------
    pathlib.Path
        `path`.

    See Also
    --------
    skad.preparation.prepare_cohort : Prepares the subjects.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad.preparation import Prepared
    >>> from skad.report import write_preparation_page
    >>> out = Path(tempfile.mkdtemp())
    >>> subject = Prepared("sub-01", out / "record.json", out / "figure.png", warnings=[])
    >>> write_preparation_page([subject], out / "quality.html").name
    'quality.html'
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skad.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    ordered = sorted(subjects, key=lambda each: (not each.warnings, each.name))
    rows = [
        {
            "name": each.name,
            "warnings": each.warnings,
            "figure": Path(os.path.relpath(each.figure, Path(path).parent)).as_posix(),
        }
        for each in ordered
    ]
    page = environment.get_template("preparation.html").render(
        subjects=rows, count=counted(len(rows), "subject"), failed=failed or {}
    )
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)
