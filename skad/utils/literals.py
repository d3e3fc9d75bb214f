"""Values of parameters that were typed."""

import ast
from typing import Any


def python_value(text: str) -> Any:
    """A Python number, string, tuple, None, ...; what is none of these is text.

    Examples
    --------
    >>> python_value("4"), python_value("(64, 64)"), python_value("None"), python_value("signed")
    (4, (64, 64), None, 'signed')
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
