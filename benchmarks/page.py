"""The page of a study in the docs: its tables and figures inside the text of a template.

    skad benchmark benchmarks/studies/glioma.toml --data ../shared/data --out results/glioma
    python benchmarks/page.py benchmarks/studies/glioma.toml --results results/glioma

Writes docs/results/STUDY.md from benchmarks/STUDY_template.md: {FOLD} stands for the tables of a fold or
cohort, {machine} for this computer, {classes} for the phantom's labels and {NAME} for NAME.md in the results,
and docs/images/STUDY-*.png.
"""

import argparse
import os
import platform
import shutil
from pathlib import Path

import torch

from skad.benchmark import read_study
from skad.benchmark.results import read_results
from skad.benchmark.tables import fold_tables, results_of
from skad.datasets import LESION_CLASSES

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"


def tables(study, results):
    """The Markdown of every fold of every cohort by the name of the fold (and cohort, if several)."""
    trained = dict.fromkeys(row["cohort"] for row in results["runs"])
    found = {}
    for cohort in trained:
        of_cohort = results_of(results, cohort)
        for fold in dict.fromkeys(row["fold"] for row in of_cohort["pooled"]):
            name = fold if len(trained) == 1 else f"{cohort}_{fold}"
            found[name] = "\n".join(fold_tables(of_cohort, fold, study.compared_with))
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="its .toml file")
    parser.add_argument("--results", type=Path, required=True, help="the folder that skad benchmark wrote")
    arguments = parser.parse_args()
    study, results = read_study(arguments.study), read_results(arguments.results)
    more = {path.stem: path.read_text(encoding="utf-8") for path in arguments.results.glob("*.md")}
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {study.threads} thread(s) per training"
    text = (HERE / f"{study.name}_template.md").read_text(encoding="utf-8")
    (DOCS / "results" / f"{study.name}.md").write_text(
        text.format(
            machine=f"{machine}, torch {torch.__version__}",
            classes=", ".join(f"{number} {name}" for name, number in LESION_CLASSES.items()),
            **more | tables(study, results),
        ),
        encoding="utf-8",
    )
    for figure in sorted((arguments.results / "figures").glob("*.png")):
        shutil.copyfile(figure, DOCS / "images" / f"{study.name}-{figure.name}")


if __name__ == "__main__":
    main()
