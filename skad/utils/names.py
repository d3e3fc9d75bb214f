"""Mistyped names, told in one sentence with the nearest valid one."""

import difflib

_LONGEST = 80  # characters of a name that are compared: the time grows with their square


def check_name(name, names, what):
    """Return ``name`` if it is one of ``names``.

    Parameters
    ----------
    name : str
    names : iterable of str
    what : str
        What the name is of, for the message.

    Raises
    ------
    ValueError
        It is none; the message offers the nearest, or all.

    Examples
    --------
    >>> check_name("sed", ["seeds", "methods"], "key of a study")
    Traceback (most recent call last):
    ValueError: There is no key of a study 'sed': did you mean seeds?
    """
    names = list(names)
    if name in names:
        return name
    raise ValueError(f"There is no {what} {_short(name)}: {nearest(name, names) or _all(names)}")


def nearest(name, names, cutoff=0.5):
    """Which of ``names`` was meant, as a question; empty where none is as near as ``cutoff``, 0 to 1.

    Examples
    --------
    >>> nearest("flair", ["T1w", "FLAIR"])
    'did you mean FLAIR?'
    """
    folded = {each.casefold(): each for each in names}
    near = difflib.get_close_matches(str(name)[:_LONGEST].casefold(), folded, n=1, cutoff=cutoff)
    return f"did you mean {folded[near[0]]}?" if near else ""


def _short(name):
    text = repr(name)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _all(names):
    return f"there are {', '.join(sorted(names))}."


def check_keys(table, names, what):
    """Raise where a table has a key that is none of ``names``; returns the table."""
    for key in table:
        check_name(key, names, what)
    return table
