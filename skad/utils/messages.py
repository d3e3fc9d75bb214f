"""Exceptions as one line for people."""


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
