"""How the documentation is built: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

import os
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the examples' networks are small; threads cost them time
os.environ.setdefault("MPLBACKEND", "Agg")

import skad  # noqa: E402

repository = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["urls"]["Source"]
project = "skad"
author = "The skad developers"
project_copyright = author
version = release = skad.__version__

extensions = [
    "myst_parser",  # the pages, in Markdown
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",  # [source] links
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "public_api",  # docs/extensions: the reference, generated from every __all__
    "github_links",  # docs/extensions: links that work on GitHub and here
    "colab_links",  # docs/extensions: examples as notebooks in Colab
    "study_tables",  # docs/extensions: tables of the results from their committed rows
]
exclude_patterns = ["_build", "extensions", "templates", "images", "results/rows"]
templates_path = ["templates"]

default_role = "literal"
# a reference to something of skad that does not exist is an error; other projects' pages are not looked up
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!skad\.).*")]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3  # links to sections work as they do on GitHub
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say the types, with shapes and units
numpydoc_show_class_members = False  # the template lists them
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "skad"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skad"},
    "github_url": repository,
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 8,
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("figure_scraper.figures",),
    "abort_on_example_error": True,
    "doc_module": ("skad",),
    "backreferences_dir": "auto_examples/backreferences",
    "remove_config_comments": True,
    "show_memory": False,
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"matplotlib\.figure\.Figure",  # the scraper shows it
    "first_notebook_cell": (  # the notebook runs in an empty environment, such as Colab's
        f"%pip install --quiet git+{repository}\n%matplotlib inline"
    ),
}
