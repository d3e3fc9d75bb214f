"""``skad benchmark``: every method of a study on its cohorts, into tables with what they cost."""

from pathlib import Path

from skad.benchmark import read_study, run_study, write_figures, write_tables
from skad.cli.terminal import complain, record, tell
from skad.utils.files import sweep
from skad.utils.folders import new_folder
from skad.utils.locks import locked


def benchmark(study, *, data, out, jobs, only, device):
    """Run what of a study is not finished, and write its tables; 1 when some runs failed."""
    if jobs < 1:
        raise ValueError(f"--jobs should be at least 1, got {jobs}.")
    name = Path(study).stem
    study = read_study(study, data=data, device=device)
    with new_folder(out or f"{name}-results") as folder, locked(folder):
        sweep(folder)
        errors = run_study(study, folder, jobs=jobs, only=only, tell=tell)
        path = write_tables(study, folder)
        write_figures(study, folder)
    complain(errors)
    record(folder=folder, summary=path)
    tell(f"Tables: {path}; figures: {folder / 'figures'}; rows: {folder / '*.csv'}.")
    return 1 if errors else 0
