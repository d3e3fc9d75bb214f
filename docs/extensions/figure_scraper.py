"""Pictures of the gallery: pyplot's figures, and those that skad's functions return without pyplot."""

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper


def figures(block, block_vars, gallery_conf):
    """Save what the block drew; sphinx-gallery calls this after every block of an example.

    Returns
    -------
    str
        reStructuredText that shows the pictures.
    """
    text = matplotlib_scraper(block, block_vars, gallery_conf)
    paths = []
    for value in block_vars["example_globals"].values():
        if isinstance(value, Figure) and not (hasattr(value, "number") or hasattr(value, "in_gallery")):
            value.in_gallery = True
            path = next(block_vars["image_path_iterator"])
            value.savefig(path, dpi=100, bbox_inches="tight")
            paths.append(path)
    return text + figure_rst(paths, gallery_conf["src_dir"])
