"""Packages of an extra, imported when they are needed."""

import importlib
from types import ModuleType


def import_extra(name: str, message: str) -> ModuleType:
    """Import a package that an extra brings.

    Parameters
    ----------
    name : str
        Of the module.
    message : str
        What to say where it cannot be imported: what needs it, and the extra. ``{error}`` becomes the reason.

    Raises
    ------
    ImportError
        With the message.

    Examples
    --------
    >>> import_extra("json", "Tables need json.").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(message.format(error=error)) from error
