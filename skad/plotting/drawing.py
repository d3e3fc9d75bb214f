"""What all figures share: an axis to draw on, curves that every reader tells apart, a file at the end."""

from collections.abc import Iterable
from itertools import cycle

from matplotlib.figure import Figure

from skad.utils.files import written_whole
from skad.utils.typing import PathLike

MAP_COLORS = "inferno"  # even lightness steps: reads the same in gray and with any color vision
TRUTH_COLOR = "#56B4E9"  # sky blue of Okabe and Ito (2008), visible on gray, black and yellow
GRAYS_PERCENT = (1, 99.5)  # of the foreground: what is black and white in an image
GUIDE = {"color": "0.6", "linewidth": 0.8}  # of lines that only guide the eye
_COMPRESSION = 3  # of PNG files: 5 % larger than at 6, in half the time

# Okabe and Ito (2008), without yellow, which is faint on white; neighbors differ in line as well
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_LINES = ("-", "--", "-.", ":")
CURVE_STYLES = [
    {"color": color, "linestyle": line} for color, line in zip(_COLORS, cycle(_LINES), strict=False)
]


def curve_styles(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Color and line of every name: up to seven differ in color to every color vision.

    Parameters
    ----------
    names : iterable of str
        A name that comes again keeps its look.

    Returns
    -------
    dict of str to dict
        Keyword arguments of ``Axes.plot``.

    Examples
    --------
    >>> curve_styles(["VAE", "IntroVAE", "VAE"])["IntroVAE"]
    {'color': '#D55E00', 'linestyle': '--'}
    """
    return dict(zip(dict.fromkeys(names), cycle(CURVE_STYLES), strict=False))


def axis_or_new(ax, size):
    """`ax`, or where it is None the only axis of a new figure of a size in inches."""
    return Figure(figsize=size, layout="constrained").subplots() if ax is None else ax


def figure_or_new(figure, size):
    """`figure`, or where it is None a new one of a size in inches."""
    return Figure(figsize=size, layout="constrained") if figure is None else figure


def check_names(curves, what):
    """Raise where there is nothing to draw."""
    if not curves:
        raise ValueError(f"{what} should hold at least one curve, got none.")


def save_figure(figure: Figure, path: PathLike) -> PathLike:
    """Write a figure as PNG; the file appears complete or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : path-like
        The PNG file; missing folders are created.

    Returns
    -------
    path-like
        `path`.

    See Also
    --------
    skad.plotting.plot_volume : Makes a figure.

    Examples
    --------
    >>> import tempfile
    >>> from matplotlib.figure import Figure
    >>> from skad.plotting import save_figure
    >>> save_figure(Figure(), f"{tempfile.mkdtemp()}/map.png").endswith("map.png")
    True
    """
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png", pil_kwargs={"compress_level": _COMPRESSION})
    return path
