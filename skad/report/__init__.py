"""The report of a cohort in one HTML file."""

from skad.report.html import SubjectReport, write_html
from skad.report.viewer import viewer_data

__all__ = ["SubjectReport", "viewer_data", "write_html"]
