"""Exceptions and counts in words."""


def one_line(error: BaseException) -> str:
    """What went wrong, on one line; the kind of error is named where it is no mistake of the user.

    Examples
    --------
    >>> one_line(ValueError("no such\\nfile")), one_line(KeyError("T1w"))
    ('no such file', "KeyError: 'T1w'")
    """
    text = " ".join(str(error).split())
    if isinstance(error, ValueError | OSError | MemoryError) and text:
        return text
    return f"{type(error).__name__}: {text}"


def counted(n: int, noun: str) -> str:
    """A number of things, whose plural ends in s.

    Examples
    --------
    >>> counted(1, "subject"), counted(0, "map")
    ('1 subject', '0 maps')
    """
    return f"{n} {noun}{'s' * (n != 1)}"
