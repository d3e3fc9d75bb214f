"""Links of the Markdown pages that work on GitHub, turned into the site's own.

On GitHub a page links to ``examples/plot_1_first_map.py`` or ``CONTRIBUTING.md``; on the site the same link
leads to the example in the gallery and to the page that includes the file.
"""

import re

PLACES = {
    r"\]\((?:\.\./)+examples/(plot_\w+)\.py\)": r"](/auto_examples/\1.rst)",
    r"\]\((?:\.\./)+examples/?\)": r"](/auto_examples/index.rst)",
    r"\]\((?:\.\./)+CONTRIBUTING\.md\)": r"](/contributing.md)",
    r"\]\((?:\.\./)+CHANGELOG\.md\)": r"](/changelog.md)",
}


def setup(app):
    """Register with Sphinx."""
    app.connect("source-read", point_to_pages)
    return {"parallel_read_safe": True}


def point_to_pages(app, docname, source):
    """Replace the links in a page's text, ``source[0]``."""
    for pattern, place in PLACES.items():
        source[0] = re.sub(pattern, place, source[0])
