"""A mean and its standard deviation in words, for the pages of results."""


def with_spread(mean, deviation, digits=3):
    """``"0.912 ± 0.004"``; the mean alone where the deviation rounds to zero or is unknown (NaN)."""
    spread = f" ± {deviation:.{digits}f}" if deviation > 0.5 * 10**-digits else ""
    return f"{mean:.{digits}f}{spread}"
