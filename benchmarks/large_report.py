"""A report of thousands of subjects: its size, the time to write it, and the time to open it in a browser.

    python benchmarks/large_report.py --subjects 2000 --out docs/results/large_report.csv

The subjects are a few simulated patients under many names. Each row is a report in which so many have
a page. Opening is timed in headless Chromium; it needs selenium (the extra ``[test]``) and Chromium with its
driver (Debian: chromium, chromium-driver).
"""

import argparse
import copy
import tempfile
import time
from pathlib import Path

from screenshots import open_browser
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from skad import VolumeAnomalyDetector
from skad.datasets import make_phantom
from skad.preprocessing import VolumePreprocessor
from skad.report import write_report
from skad.scoring import IntensityScorer
from skad.utils.tables import write_table

N_PATIENTS, SHAPE = 50, (48, 56, 12)
CPU = time.process_time


def simulate(n_subjects):
    """A few patients, each under many names."""
    patients = make_phantom(min(N_PATIENTS, n_subjects), shape=SHAPE, lesion="glioma", random_state=0)
    for number in range(n_subjects):
        volume = copy.copy(patients[number % len(patients)])
        volume.subject = f"sub-{number:04d}"
        yield volume


def seconds(action, *arguments, clock=time.monotonic):
    """Time that an action takes."""
    begin = clock()
    action(*arguments)
    return round(clock() - begin, 1)


def wait_for_page(browser):
    """Wait until the images of the subject in the address are drawn."""
    WebDriverWait(browser, 600, poll_frequency=0.05).until(
        lambda b: b.execute_script("return document.body.dataset.shown === location.hash.slice(1)")
    )


def click(browser, *where):
    """Follow a link to the page of a subject."""
    browser.find_element(*where).click()
    wait_for_page(browser)


def open_report(path):
    """Seconds until the table, the first page and the page after it are shown."""
    browser = open_browser()
    browser.set_page_load_timeout(600)
    try:
        return {
            "table_s": seconds(browser.get, path.as_uri()),
            "first_page_s": seconds(click, browser, By.CSS_SELECTOR, "#subjects a"),
            "next_page_s": seconds(click, browser, By.ID, "next"),
        }
    finally:
        browser.quit()


def measure(maps, volumes, path, n_pages):
    """A row: write the report and open it."""
    written = seconds(lambda: write_report(maps, volumes, path, viewers=n_pages), clock=CPU)
    row = {"subjects": len(maps), "pages": n_pages, "mb": round(path.stat().st_size / 1e6, 1)}
    return row | {"write_cpu_s": written} | open_report(path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subjects", type=int, default=2000)
    parser.add_argument("--pages", type=int, nargs="+", default=[10, 200, 2000])
    parser.add_argument("--out", type=Path, default=Path("docs/results/large_report.csv"))
    arguments = parser.parse_args()
    volumes = list(simulate(arguments.subjects))
    preprocessor = VolumePreprocessor(size=(64, 64))
    detector = VolumeAnomalyDetector(IntensityScorer(), preprocessor=preprocessor).fit(volumes[:4])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        maps = detector.score_cohort(volumes, out=folder)
        for n_pages in arguments.pages:
            rows.append(measure(maps, volumes, Path(folder, "report.html"), n_pages))
            print(*rows[-1].values(), flush=True)
    write_table(rows, arguments.out)


if __name__ == "__main__":
    main()
