"""Studies: which methods, on which cohorts, with which seeds, into tables with what they cost."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.benchmark.figures import write_figures
    from skad.benchmark.parsing import parse_study, read_study
    from skad.benchmark.run import run_study
    from skad.benchmark.study import Study
    from skad.benchmark.tables import write_tables
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = ["Study", "parse_study", "read_study", "run_study", "write_figures", "write_tables"]
