"""Shell completion: a script by shtab, so that no TAB has to wait until Python has started."""

import argparse

try:
    import shtab
except ImportError:  # an extra
    shtab = None

SHELLS = ("bash", "zsh", "tcsh")
PATHS = ("FILE", "FOLDER", "STUDY.toml", "FILE.toml", "folder", "maps", "detector", "study")


def complete_paths(action):
    """Let a shell offer files for an argument that takes a path, as its metavar or name tells."""
    if shtab is not None and (action.metavar in PATHS or action.dest in PATHS):
        action.complete = shtab.FILE


class PrintCompletion(argparse.Action):
    """``--print-completion bash``: print the script and end."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Print the script of all commands for the shell `values`."""
        if shtab is None:
            raise ValueError(f'{option_string} needs shtab: `pip install "skad[completion]"`.')
        print(shtab.complete(parser, values))
        parser.exit()
