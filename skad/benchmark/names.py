"""Mistyped names, told in one sentence with the nearest valid one."""

import difflib


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
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(names))}."
    raise ValueError(f"There is no {what} {name!r}: {hint}")


def check_keys(table, names, what):
    """Raise where a table has a key that is none of ``names``; returns the table."""
    for key in table:
        check_name(key, names, what)
    return table
