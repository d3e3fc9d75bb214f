"""The parser of the command line: help that fits a screen, and mistakes told with the nearest valid word."""

import argparse
import functools
import shutil
import sys

from skad.cli.completion import complete_paths
from skad.utils.names import check_name, nearest

WIDTH = 98  # columns, at most
LONG = 25  # characters; more choices than that stand in the help text only


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` that raises ValueError, one sentence, for every mistake.

    Parameters
    ----------
    prog, description : str
    examples : sequence of str
        Command lines, shown below the help.
    """

    def __init__(self, prog, description=None, examples=(), **settings):
        self._options, self._commands = [], None
        width = min(WIDTH, shutil.get_terminal_size().columns - 2)
        formatter = functools.partial(argparse.RawDescriptionHelpFormatter, width=width, max_help_position=30)
        lines = "\n".join(f"  {example}" for example in examples)
        super().__init__(
            prog,
            description=description,
            epilog=f"example{'s' * (len(examples) > 1)}:\n{lines}" if examples else None,
            formatter_class=formatter,
            **settings,
        )

    def add_argument(self, *names, **settings):
        """As in argparse; a value that is none of `choices` is told with the nearest one."""
        if "choices" in settings and "type" not in settings:
            name = names[0].lstrip("-")
            settings["type"] = _one_of(settings["choices"], name)
            if len(", ".join(settings["choices"])) > LONG:
                settings.setdefault("metavar", name.upper())
        action = super().add_argument(*names, **settings)
        self._options += action.option_strings
        complete_paths(action)
        return action

    def add_commands(self, commands):
        """Declare commands, name to purpose and examples; gives the parser of each."""
        self._commands = list(commands)
        parsers = self.add_subparsers(dest="command", required=True, metavar="COMMAND")
        return {
            name: parsers.add_parser(name, help=purpose, description=_sentence(purpose), examples=examples)
            for name, (purpose, examples) in commands.items()
        }

    def parse_known_args(self, args=None, namespace=None):
        """As in argparse, after the options and the command have been found to exist."""
        args = list(sys.argv[1:] if args is None else args)
        for each in args[:1] if self._commands else args:
            if each == "--":
                break
            if each.startswith("--"):
                self._check_option(each.partition("=")[0])
            elif self._commands and not each.startswith("-"):
                check_name(each, self._commands, "command")
        return super().parse_known_args(args, namespace)

    def error(self, message):
        """Raise instead of leaving."""
        raise ValueError(message if message.endswith("?") else f"{message}; see `{self.prog} --help`.")

    def _check_option(self, name):
        if not any(option.startswith(name) for option in self._options):
            hint = nearest(name, self._options)
            raise ValueError(
                f"There is no option {name}: {hint}"
                if hint
                else f"There is no option {name}; see `{self.prog} --help`."
            )


def _one_of(names, what):
    def known(name):
        try:
            return check_name(name, names, what)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return known


def _sentence(text):
    return f"{text[0].upper()}{text[1:]}."
