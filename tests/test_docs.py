"""The documentation says what the code has; that the site builds is ``sphinx-build -W``'s to say."""

import importlib
import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import skad.anatomy
import skad.reconstruction
import skad.scoring

ROOT = Path(__file__).parents[1]
METHODS = ROOT / "docs" / "methods"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ESTIMATORS = [
    getattr(package, name)
    for package in (skad.reconstruction, skad.scoring, skad.anatomy)
    for name in package.__all__
    if inspect.isclass(getattr(package, name))
]


def words_in_code(text):
    """Identifiers between backticks or in code blocks."""
    return {word for span in re.findall(r"`+([^`]+)`+", text) for word in re.findall(r"\w+", span)}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.__name__)
def test_every_parameter_is_on_the_methods_page(estimator):
    pages = [page.read_text() for page in METHODS.glob("*.md") if page.name != "index.md"]
    named = set().union(*(words_in_code(text) for text in pages if estimator.__name__ in text))
    shared = words_in_code((METHODS / "index.md").read_text())
    assert estimator.__name__ in shared
    assert set(inspect.signature(estimator).parameters) - named - shared == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text())
    files = [link for link in links if "://" not in link]
    assert [link for link in files if not (page.parent / link).exists()] == []


def lines_of_prose(text):
    """Lines outside code blocks, formulas, tables, headings and images."""
    blocks = re.sub(r"^ *```.*?^ *```|^\$\$.*?\$\$$", "", text, flags=re.M | re.S)
    return [line for line in blocks.splitlines() if not re.match(r"\s*([|#<]|!\[)", line)]


@pytest.mark.parametrize(
    "page",
    PAGES,
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_prose_is_wrapped_at_100_columns(page):
    lines = lines_of_prose(page.read_text())
    assert [line for line in lines if len(line) > 100 and " " in line.strip()[:100]] == []


def test_every_page_of_a_method_is_in_the_table():
    table = (METHODS / "index.md").read_text()
    assert [
        page.name for page in METHODS.glob("*.md") if page.name not in table and page.name != "index.md"
    ] == []


def test_examples_link_to_colab_and_their_notebooks_are_copied(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "extensions")
    extension = importlib.import_module("colab_links")
    (tmp_path / "auto_examples").mkdir()
    (tmp_path / "auto_examples" / "plot_1_a.ipynb").write_text("{}")
    config = SimpleNamespace(repository="https://github.com/owner/name")
    builder = SimpleNamespace(format="html")
    app = SimpleNamespace(config=config, builder=builder, srcdir=tmp_path, outdir=tmp_path / "html")
    page, other = ["Title"], ["Title"]
    extension.add_link(app, "auto_examples/plot_1_a", page)
    extension.add_link(app, "guide", other)
    url = "https://colab.research.google.com/github/owner/name/blob/gh-pages/notebooks/plot_1_a.ipynb"
    assert f"<{url}>" in page[0] and other == ["Title"]
    app.outdir.mkdir()
    extension.copy_notebooks(app, None)
    assert (app.outdir / "notebooks" / "plot_1_a.ipynb").read_text() == "{}"
