"""The report in headless Chromium: what a reader does changes the picture, and nothing complains.

Screenshots, for somebody to look at, go to the folder of the environment variable ``SKAD_SCREENSHOTS``.
"""

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from skad.preparation import Prepared
from skad.report import write_preparation_page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
OPTIONS = (
    "--headless=new --no-sandbox --disable-dev-shm-usage --window-size=1400,900 "
    "--use-angle=swiftshader --enable-unsafe-swiftshader"
)

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: skad[test]")
axe = pytest.importorskip("selenium_axe_python", reason="selenium-axe-python is missing: skad[test]")
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver.common.action_chains import ScrollOrigin  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium with its driver (Debian: chromium, chromium-driver)"
)


@pytest.fixture(scope="module")
def browser(report):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for option in OPTIONS.split():
        options.add_argument(option)
    try:
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    except WebDriverException as error:
        pytest.skip(f"Chromium does not start here: {error.msg}")
    browser.get(report.as_uri())
    save_screenshot(browser, "cohort")
    yield browser
    browser.quit()


@pytest.fixture
def subject(browser):
    """The page of the subject with the highest peak, as it opens."""
    browser.refresh()
    if not browser.find_element(By.ID, "subject").is_displayed():
        browser.find_element(By.CSS_SELECTOR, "#subjects a").click()
    wait_for(browser, "sub-high")
    yield browser
    assert [each for each in browser.get_log("browser") if each["level"] != "INFO"] == []


def wait_for(browser, name):
    WebDriverWait(browser, 120).until(
        lambda b: b.execute_script("return document.body.dataset.shown") == name
    )


def save_screenshot(browser, name):
    if folder := os.environ.get("SKAD_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(str(Path(folder, f"{name}.png")))


def picture(browser):
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    return browser.find_element(By.ID, "viewer").screenshot_as_png


def move_slider(browser, name, value):
    browser.execute_script(
        "const slider = document.getElementById(arguments[0]); slider.value = arguments[1];"
        "slider.dispatchEvent(new Event('input'))",
        name,
        value,
    )


@contextmanager
def colors(browser, scheme):
    """The reader prefers light or dark pages."""
    preference = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def violations(browser):
    """Rules of accessibility that the open page breaks, each with the elements that break it."""
    checker = axe.Axe(browser)
    checker.inject()
    found = checker.run()["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def location(browser):
    """Where the crosshair is, mm, and the score there, as the page tells."""
    where, score = browser.find_element(By.ID, "location").text.split("\n")
    x, y, z = (float(part.split()[1]) for part in where.split(","))
    return np.array([x, y, z]), float(score.split()[-1])


def test_it_opens_at_the_peak(subject, made):
    mm, score = location(subject)
    np.testing.assert_allclose(mm, made.lesion_mm, atol=2.6)  # half a voxel
    assert score == pytest.approx(9, abs=0.01)
    save_screenshot(subject, "subject")


@pytest.mark.parametrize(("slider", "value"), [("opacity", 0.1), ("threshold", 8.5)])
def test_sliders_change_the_picture(subject, slider, value):
    before = picture(subject)
    assert picture(subject) == before  # a still picture stays the same
    move_slider(subject, slider, value)
    assert picture(subject) != before


def test_contrasts_and_the_truth_can_be_switched(subject):
    first = picture(subject)
    subject.find_element(By.ID, "contrast").send_keys("F")
    second = picture(subject)
    subject.find_element(By.ID, "truth").click()
    assert len({first, second, picture(subject)}) == 3


def test_the_wheel_scrolls_one_plane(subject):
    before, (start, _) = picture(subject), location(subject)
    canvas = subject.find_element(By.ID, "viewer")
    quarter = ScrollOrigin.from_element(
        canvas, -int(canvas.size["width"] * 0.15), -int(canvas.size["height"] * 0.25)
    )
    webdriver.ActionChains(subject).scroll_from_origin(quarter, 0, 200).perform()
    assert picture(subject) != before
    assert not np.array_equal(location(subject)[0], start)


def test_a_lesion_link_moves_the_crosshair(subject, made):
    before = picture(subject)
    links = subject.find_elements(By.CSS_SELECTOR, "section:not([hidden]) .lesions a")
    links[1].click()
    np.testing.assert_allclose(location(subject)[0], made.lesion_mm - [20, 0, 0], atol=2.6)
    assert picture(subject) != before
    links[0].click()
    np.testing.assert_allclose(location(subject)[0], made.lesion_mm, atol=2.6)


def test_one_can_walk_from_subject_to_subject_and_back(subject):
    subject.find_element(By.ID, "next").click()
    wait_for(subject, "sub-low")
    assert subject.find_element(By.ID, "name").text == "sub-low"
    assert "missing contrast" in subject.find_element(By.ID, "side").text
    subject.find_element(By.LINK_TEXT, "all subjects").click()
    WebDriverWait(subject, 20).until(lambda b: b.find_element(By.ID, "cohort").is_displayed())
    subject.find_element(By.LINK_TEXT, "sub-high").click()
    wait_for(subject, "sub-high")


def test_the_color_scale_runs_from_the_threshold_to_the_peak(subject):
    move_slider(subject, "threshold", 4)
    assert subject.find_element(By.ID, "scale-low").text == "4.00"
    assert subject.find_element(By.ID, "scale-high").text.startswith("9.00")


def test_arrow_keys_move_the_crosshair_by_a_voxel(subject):
    start, _ = location(subject)
    canvas = subject.find_element(By.ID, "viewer")
    canvas.send_keys(Keys.ARROW_RIGHT)  # towards the right of the screen: the patient's left, -x
    moved, _ = location(subject)
    np.testing.assert_allclose(moved - start, [-5, 0, 0], atol=0.2)


@pytest.mark.parametrize("key", ["v", "c", "p"])
def test_keys_that_would_break_the_view_do_nothing(subject, key):
    before = picture(subject)
    subject.find_element(By.ID, "viewer").send_keys(key)
    assert picture(subject) == before


def test_a_key_hides_the_map_and_shows_it_again(subject):
    before = picture(subject)
    canvas = subject.find_element(By.ID, "viewer")
    canvas.send_keys("m")
    assert picture(subject) != before
    canvas.send_keys("m")
    assert picture(subject) == before


def test_the_picture_stays_in_view_beside_a_long_table(subject):
    subject.execute_script("document.getElementById('side').style.height = '4000px'; scrollTo(0, 1500)")
    top = subject.execute_script("return document.getElementById('picture').getBoundingClientRect().top")
    subject.execute_script("document.getElementById('side').style.height = ''; scrollTo(0, 0)")
    assert top >= 0


def test_a_phone_shows_everything_without_scrolling_sideways(subject):
    subject.set_window_size(390, 844)
    try:
        width, page = subject.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
        save_screenshot(subject, "phone")
        assert page <= width
    finally:
        subject.set_window_size(1400, 900)


def test_dark_pages_are_dark(subject):
    with colors(subject, "dark"):
        color = subject.execute_script("return getComputedStyle(document.body).backgroundColor")
        save_screenshot(subject, "dark")
    assert max(int(part) for part in re.findall(r"\d+", color)[:3]) < 60


def test_paper_keeps_the_shape_of_the_picture(subject):
    """A browser prints the picture as it was drawn for the screen, in the place that the style gives it."""
    subject.execute_script("viewer.opts.isResizeCanvas = false")  # nor is it drawn again in this test
    subject.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        drawn, printed = subject.execute_script(
            "const canvas = document.getElementById('viewer');"
            "return [canvas.width / canvas.height, canvas.clientWidth / canvas.clientHeight]"
        )
    finally:
        subject.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert printed == pytest.approx(drawn, rel=0.01)


def test_the_facts_of_the_detector_open_at_a_click(browser):
    browser.execute_script("location.hash = ''")  # the page of the cohort
    WebDriverWait(browser, 20).until(lambda b: b.find_element(By.ID, "cohort").is_displayed())
    facts = browser.find_element(By.CSS_SELECTOR, "#detector dd")
    assert not facts.is_displayed()
    browser.find_element(By.CSS_SELECTOR, "#detector summary").click()
    assert facts.is_displayed() and facts.text == "12"
    save_screenshot(browser, "detector")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["cohort", "subject"])
def test_axe_finds_no_violation(subject, page, scheme):
    if page == "cohort":
        subject.find_element(By.LINK_TEXT, "all subjects").click()
        WebDriverWait(subject, 20).until(lambda b: b.find_element(By.ID, "cohort").is_displayed())
    subject.execute_script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    with colors(subject, scheme):
        assert violations(subject) == []


def test_axe_finds_no_violation_in_the_page_of_a_preparation(browser, tmp_path):
    figure = tmp_path / "figure.png"
    browser.save_screenshot(str(figure))
    subject = Prepared("sub-01", tmp_path / "record.json", figure, warnings=["a mask of 90 mL"])
    path = write_preparation_page([subject], tmp_path / "quality.html", failed={"sub-02": "no FLAIR"})
    browser.get(path.as_uri())
    found = violations(browser)
    browser.back()
    assert found == []


def test_only_the_images_of_the_page_that_is_open_are_read(browser, report):
    """What lets a report of thousands of subjects open."""
    browser.get("about:blank")
    browser.get(report.as_uri())
    assert browser.execute_script("return viewer") is None  # the cohort needs none
    browser.execute_script(
        "window.read = []; const parse = JSON.parse;"
        "JSON.parse = (text) => { read.push(text); return parse(text); }"
    )
    browser.find_element(By.LINK_TEXT, "sub-low").click()
    wait_for(browser, "sub-low")
    of_pages = "return names.filter((name) => read.includes(stored.get(name).textContent))"
    assert browser.execute_script(of_pages) == ["sub-low"]
