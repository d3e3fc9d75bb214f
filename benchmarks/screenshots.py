"""The pictures of docs/report.md: pages of reports, opened in headless Chromium.

    python benchmarks/screenshots.py --ms ../shared/data/ms --out docs/images

Needs selenium and a Chromium with its driver (Debian: chromium, chromium-driver). The phantoms are those of
``skad demo``. The patient with multiple sclerosis (Lesjak et al. 2017, CC BY) is scored with smoothed FLAIR,
the floor of every comparison, above a threshold from the slices that show no lesion.
"""

import argparse
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import skad
from skad import VolumeAnomalyDetector
from skad.cli import main as skad_main
from skad.datasets import load_bids
from skad.preprocessing import VolumePreprocessor
from skad.scoring import IntensityScorer
from skad.utils.files import written_whole

OPTIONS = (
    "--headless=new --no-sandbox --use-angle=swiftshader --enable-unsafe-swiftshader --window-size=1280,860"
)
N_COLORS = 128  # keeps a screenshot below 300 kB
CONTRASTS = ("FLAIR", "T1w", "T2w", "ce-gadolinium_T1w")


def make_phantom_report(folder, size):
    """The report of the demonstration."""
    run("demo", "--size", size, "--method", "adm", "--out", folder)
    return folder / "maps" / "adm" / "report.html"


def make_ms_report(folder, scans):
    """The report of the patient with multiple sclerosis."""
    volumes = load_bids(scans, contrasts=CONTRASTS)
    prepare = VolumePreprocessor(voxel_size=None, size=(224, 224), intensity="zscore")
    detector = VolumeAnomalyDetector(IntensityScorer(contrast=0, smoothing=1.0), preprocessor=prepare)
    skad.save(detector.fit(volumes), folder / "flair.skad")
    run("score", folder / "flair.skad", scans, "--out", folder / "ms", "--no-report", "--no-figures")
    run("evaluate", folder / "ms", scans)
    return folder / "ms" / "report.html"


def run(*arguments):
    if skad_main([str(argument) for argument in arguments]):
        raise SystemExit(f"skad {arguments[0]} failed.")


def open_browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome")
    for option in OPTIONS.split():
        options.add_argument(option)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def open_subject(browser):
    """The page of the subject with the highest peak, at its largest lesion, with the truth over the map."""
    browser.find_element(By.CSS_SELECTOR, "#subjects a").click()
    WebDriverWait(browser, 300).until(lambda b: b.execute_script("return document.body.dataset.shown"))
    browser.find_element(By.CSS_SELECTOR, "section:not([hidden]) .lesions a").click()
    browser.find_element(By.ID, "truth").click()


def save_screenshot(browser, path):
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB").quantize(N_COLORS)
    with written_whole(path) as temporary:
        picture.save(temporary, format="png", optimize=True)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ms", type=Path, help="folder of the patient with multiple sclerosis")
    parser.add_argument("--size", default="small", help="of `skad demo`; default: small")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        reports = {"phantom": make_phantom_report(Path(folder, "demo"), arguments.size)}
        if arguments.ms:
            reports["ms"] = make_ms_report(Path(folder), arguments.ms)
        browser = open_browser()
        try:
            for name, report in reports.items():
                browser.get(report.as_uri())
                save_screenshot(browser, arguments.out / f"report-{name}-cohort.png")
                open_subject(browser)
                save_screenshot(browser, arguments.out / f"report-{name}.png")
        finally:
            browser.quit()


if __name__ == "__main__":
    main()
