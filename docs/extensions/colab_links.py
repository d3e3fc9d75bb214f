"""A link on every example that opens its notebook in Colab, and the notebooks at addresses that stay.

Colab opens notebooks from GitHub only. The built site lies there on the branch ``gh-pages``, so its folder
``notebooks`` holds a copy of each, apart from those whose addresses sphinx-gallery makes of digests.
"""

import shutil
from pathlib import Path

COLAB = "https://colab.research.google.com/github"
BRANCH, FOLDER = "gh-pages", "notebooks"
EXAMPLES = "auto_examples/plot_"


def setup(app):
    """Register with Sphinx; ``repository`` is the address on GitHub."""
    app.add_config_value("repository", "", "env")
    app.connect("source-read", add_link)
    app.connect("build-finished", copy_notebooks)
    return {"parallel_read_safe": True}


def colab_url(repository, name):
    """Where Colab opens the notebook of an example.

    Examples
    --------
    >>> colab_url("https://github.com/skad-developers/skad", "plot_4_calibrate")
    'https://colab.research.google.com/github/skad-developers/skad/blob/gh-pages/notebooks/plot_4_calibrate.ipynb'
    """
    project = repository.removeprefix("https://github.com/")
    return f"{COLAB}/{project}/blob/{BRANCH}/{FOLDER}/{name}.ipynb"


def add_link(app, docname, source):
    """Add the link to the end of an example's page, ``source[0]``."""
    if docname.startswith(EXAMPLES):
        url = colab_url(app.config.repository, Path(docname).name)
        source[0] += f"\n\n`Open the notebook in Colab <{url}>`__\n"


def copy_notebooks(app, exception):
    """Copy the notebooks of the examples into the built site."""
    if exception is None and app.builder.format == "html":
        (Path(app.outdir) / FOLDER).mkdir(exist_ok=True)
        for notebook in Path(app.srcdir).glob(f"{EXAMPLES}*.ipynb"):
            shutil.copy(notebook, Path(app.outdir) / FOLDER)
