"""The report of a cohort in one HTML file."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.report.cohort import write_report
    from skad.report.gallery import Gallery
    from skad.report.html import SubjectReport, write_html
    from skad.report.labels import write_evaluation
    from skad.report.preparation import write_preparation_page
    from skad.report.viewer import viewer_data
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "Gallery",
    "SubjectReport",
    "viewer_data",
    "write_evaluation",
    "write_html",
    "write_preparation_page",
    "write_report",
]
