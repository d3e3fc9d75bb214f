"""The report as a file: complete in itself, well-formed, small."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from skad.io import compact_nifti
from skad.report import SubjectReport, viewer_data, write_html

VOID = {"meta", "link", "input", "img", "br"}


class Page(HTMLParser):
    """Open tags must be closed in order; collects what a browser would fetch, links and texts."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.text, self.data = [], [], [], {}

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in VOID:
            self.open.append((tag, attributes))
        if "src" in attributes:
            self.fetched.append(attributes["src"])
        if tag == "link":
            self.fetched.append(attributes["href"])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tag, attributes = self.open[-1] if self.open else ("", {})
        if attributes.get("class") == "subject" and tag == "script":
            self.data[attributes["data-name"]] = json.loads(data)
        self.text.append(data.strip())


@pytest.fixture(scope="module")
def page(report):
    page = Page()
    page.feed(report.read_text(encoding="utf-8"))
    page.close()
    return page


def unpacked(text):
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(text)))


def test_every_tag_is_closed(page):
    assert page.open == []


def test_nothing_is_fetched(report, page):
    assert page.fetched and all(address.startswith("data:") for address in page.fetched)
    html = report.read_text(encoding="utf-8")
    assert not re.search(r"""(url\(|@import|fetch\(|href=|src=)\s*["']?(https?:)?//""", html)
    assert "default-src data: blob:" in html  # and the browser would refuse


def test_subjects_come_highest_peak_first(page):
    names = [text for text in page.text if text.startswith("sub-")]
    assert names == ["sub-high", "sub-low"]
    assert list(page.data) == ["sub-high", "sub-low"]


def test_facts_of_the_detector_are_shown_and_escaped(report, page):
    assert {"Training", "scans", "12", "score: <Mixture>", "[<b>Lesions</b>()]"} <= set(page.text)
    assert "<b>Lesions" not in report.read_text(encoding="utf-8")


def test_text_is_escaped(report):
    html = report.read_text(encoding="utf-8")
    assert "&lt;b&gt;T2w&lt;/b&gt;" in html and "<b>T2w" not in html


def test_lesions_are_counted_only_where_a_threshold_defines_them(tmp_path):
    for lesions, shown in ((None, False), ([], True)):
        write_html(tmp_path / "a.html", [SubjectReport("sub-01", 1.0, 2.0, lesions=lesions)])
        assert (">lesions</th>" in (tmp_path / "a.html").read_text()) is shown


def test_tables_and_warnings_are_shown(page):
    assert {"drift", "above 2", "Per class", "0.877"} <= set(page.text)


def test_the_map_in_the_page_lies_where_the_map_lies(page, made):
    image = unpacked(page.data["sub-high"]["map"]["nifti"])
    index = np.unravel_index(np.argmax(image.get_fdata()), image.shape)
    np.testing.assert_allclose(image.affine[:3, :3] @ index + image.affine[:3, 3], made.lesion_mm, atol=1e-4)
    np.testing.assert_allclose(page.data["sub-high"]["peak"], made.lesion_mm, atol=1e-9)
    assert image.get_fdata().max() == pytest.approx(9)


def test_what_is_cropped_is_background_only(page, made):
    image = unpacked(page.data["sub-high"]["truth"])
    outline = ndimage.binary_dilation(made.labels) & (made.labels == 0)  # of a cube of 5 voxels
    assert np.count_nonzero(image.get_fdata()) == np.count_nonzero(outline) == 6 * 25


def test_the_outline_of_a_lesion_in_thick_slices_stays_in_its_slices():
    labels = np.zeros((7, 8, 6), int)
    labels[3:5, 3:5, 2:4] = 1
    data = viewer_data({}, np.ones(labels.shape), np.diag([1.0, 1.0, 4.0, 1.0]), threshold=0, labels=labels)
    outline = unpacked(data["truth"]).get_fdata()
    assert np.flatnonzero(outline.any(axis=(0, 1))).tolist() == [2, 3]
    inside = labels[..., 2] > 0
    np.testing.assert_array_equal(outline[..., 2] > 0.5, ndimage.binary_dilation(inside) & ~inside)


def test_a_missing_scan_leaves_the_map_as_background():
    anomaly = np.full((6, 7, 8), np.nan)
    anomaly[2:4, 2:5, 3:5] = np.arange(12.0).reshape(2, 3, 2)
    data = viewer_data({}, anomaly, np.eye(4), threshold=100)
    assert [each["name"] for each in data["contrasts"]] == ["anomaly map"]
    assert data["truth"] is None and data["map"]["threshold"] == 11  # the highest score


def test_a_map_without_foreground_is_refused():
    with pytest.raises(ValueError, match="foreground"):
        viewer_data({}, np.full((2, 3, 4), np.nan), np.eye(4), threshold=0)


@pytest.mark.parametrize("n_levels", [256, 4096])
def test_compact_images_are_right_to_half_a_level(n_levels):
    voxels = np.random.default_rng(0).uniform(-2, 3, (5, 6, 7))
    affine = np.diag([2.0, -3, 4, 1])
    packed = compact_nifti(voxels, affine, low=-2, high=3, n_levels=n_levels)
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(packed))
    np.testing.assert_allclose(image.get_fdata(), voxels, atol=0.5001 * 5 / (n_levels - 1))
    np.testing.assert_array_equal(image.affine, affine)
    assert packed == compact_nifti(voxels, affine, low=-2, high=3, n_levels=n_levels)


def test_compact_images_hold_nan_and_a_constant():
    packed = compact_nifti(np.array([[[np.nan, 4.0]]]), np.eye(4), low=4, high=4)
    assert (nibabel.Nifti1Image.from_bytes(gzip.decompress(packed)).get_fdata() == 4).all()


@pytest.mark.parametrize(("threshold", "lowest"), [(9.0, 5.5), (3.0, 3.0), (-2.0, 0.0)])
def test_scores_are_kept_from_the_median_or_the_threshold_on(threshold, lowest):
    anomaly = np.full((6, 7, 8), np.nan)
    anomaly[2:4, 2:5, 3:5] = np.arange(12.0).reshape(2, 3, 2)
    kept = viewer_data({}, anomaly, np.eye(4), threshold=threshold)["map"]
    assert kept["lowest"] == lowest and kept["highest"] == 11
    assert kept["threshold"] == max(threshold, lowest)


def test_a_brain_of_1_mm_with_four_contrasts_takes_less_than_11_mb(report):
    """White noise, which compresses worse than any brain; an eighth of a large brain (1.6 L) is packed."""
    shape = (88, 104, 88)
    rng = np.random.default_rng(0)
    grid = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    inside = sum((g / r) ** 2 for g, r in zip(grid, (0.8, 0.84, 0.72), strict=True)) < 1
    assert 0.19e6 < np.count_nonzero(inside) < 0.23e6
    noise = rng.normal(100, 15, shape).astype(np.float32)
    anomaly = np.where(inside, noise, np.nan)
    data = viewer_data({"T1w": noise * inside}, anomaly, np.eye(4), threshold=0)
    page = report.stat().st_size  # the viewer, and small subjects
    assert page + 8 * (4 * len(data["contrasts"][0]["nifti"]) + len(data["map"]["nifti"])) < 11e6
