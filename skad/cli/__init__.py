"""The command line: ``skad fit``, ``skad calibrate``, ``skad score``, ``skad evaluate``, ``skad demo``."""

from skad.cli.main import main

__all__ = ["main"]
