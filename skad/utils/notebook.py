"""How an object shows itself in a notebook: a heading, small gray pictures and a few facts, as HTML."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
from PIL import Image

from skad.utils.typing import Array

_GRAYS_PERCENT = (1, 99.5)  # of the values of a picture: what is black and white


def card(
    title: str, facts: Mapping[str, object], *, pictures: Iterable[str] = (), rows: Sequence[Mapping] = ()
) -> str:
    """Heading, facts, a small table and pictures, as HTML that follows the notebook's own colors.

    Parameters
    ----------
    title : str
    facts : dict of str to object
        Shown as name and text, escaped.
    pictures : iterable of str, default=()
        Of :func:`picture`.
    rows : sequence of dict, default=()
        Of a table with the keys of the first row as headings, escaped.

    Returns
    -------
    str

    Examples
    --------
    >>> "<td>R &amp; D</td>" in card("Volume", {"subject": "R & D"})
    True
    """
    listed = "".join(
        f'<tr><th style="text-align:left">{_text(name)}</th><td>{_text(value)}</td></tr>'
        for name, value in facts.items()
    )
    shown = f'<div style="display:flex;flex-wrap:wrap;gap:0.5em">{"".join(pictures)}</div>'
    return f"<div><strong>{_text(title)}</strong><table>{listed}</table>{_table(rows)}{shown}</div>"


def picture(caption: str, pixels: Array, *, aspect: float = 1.0, width: int = 130) -> str:
    """An image and its caption, as HTML that needs no other file.

    Parameters
    ----------
    caption : str
        Also what a screen reader says.
    pixels : array of shape (height, width)
        Gray values; NaN is drawn black.
    aspect : float, default=1.0
        Height of a pixel in widths of a pixel.
    width : int, default=130
        Of the picture, screen pixels.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> 'alt="T1w" src="data:image/png;base64,' in picture("T1w", np.eye(3))
    True
    """
    height = max(1, round(width * aspect * pixels.shape[0] / pixels.shape[1]))
    with io.BytesIO() as buffer:
        Image.fromarray(_grays(pixels)).resize((width, height)).save(buffer, "png")
        png = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<figure style="margin:0"><img alt="{_text(caption)}" src="data:image/png;base64,{png}">'
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def _grays(pixels):
    values = pixels[np.isfinite(pixels)]
    black, white = np.percentile(values, _GRAYS_PERCENT) if values.size else (0, 1)
    share = (np.nan_to_num(pixels, nan=black) - black) / (white - black if white > black else 1)
    return (255 * np.clip(share, 0, 1)).astype(np.uint8)


def _table(rows):
    if not rows:
        return ""
    heading = "".join(f"<th>{_text(name)}</th>" for name in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{_text(v)}</td>' for v in row.values())}</tr>" for row in rows)
    return f"<table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table>"


def _text(value):
    return escape(str(value))
