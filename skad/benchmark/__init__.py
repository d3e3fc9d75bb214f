"""Studies: which methods, on which cohorts, with which seeds, into tables with what they cost."""

from skad.benchmark.figures import write_figures
from skad.benchmark.run import run_study
from skad.benchmark.study import Study, parse_study, read_study
from skad.benchmark.tables import write_tables

__all__ = ["Study", "parse_study", "read_study", "run_study", "write_figures", "write_tables"]
