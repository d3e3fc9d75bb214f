"""A report of a large cohort: few subjects have a page, and all can be reached."""

import re

import pytest

from skad import VolumeAnomalyDetector
from skad.datasets import make_phantom
from skad.preprocessing import VolumePreprocessor
from skad.report import Gallery, write_report
from skad.scoring import IntensityScorer

N_SUBJECTS, N_PAGES = 5, 2


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Maps with figures, their volumes, and the gallery that saw them."""
    volumes = make_phantom(N_SUBJECTS, shape=(24, 28, 8), random_state=0)
    preprocessor = VolumePreprocessor(size=(32, 32))
    detector = VolumeAnomalyDetector(IntensityScorer(), preprocessor=preprocessor).fit(volumes[:2])
    gallery = Gallery(viewers=N_PAGES, figures=True)
    maps = detector.score_cohort(volumes, out=tmp_path_factory.mktemp("maps"), visitor=gallery)
    return maps, volumes, gallery


def test_every_subject_leads_to_its_page_or_its_picture(scored):
    maps, volumes, gallery = scored
    path = maps.folder / "report.html"
    write_report(maps, volumes, path, gallery=gallery)
    html = path.read_text(encoding="utf-8")
    table = html[html.index('id="subjects"') : html.index("</table>")]
    links = re.findall(r'<tr><td><a href="([^"]+)">', table)
    pages = [link.removeprefix("#") for link in links if link.startswith("#")]
    assert [(f'id="about-{name}"' in html, f'data-name="{name}"' in html) for name in pages] == [
        (True, True)
    ] * N_PAGES
    pictures = [path.parent / link for link in links if not link.startswith("#")]
    assert len(set(pictures)) == N_SUBJECTS - N_PAGES
    assert all(picture.is_file() for picture in pictures)


def test_only_the_highest_peaks_keep_their_images(scored):
    maps, _, gallery = scored
    highest = sorted(maps, key=lambda record: -record.peak)[:N_PAGES]
    kept = [path for path, page in gallery.pages.items() if page.viewer]
    assert set(kept) == {record.path for record in highest}
