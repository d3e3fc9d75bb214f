"""The parser of the command line: help that fits a screen, the nearest valid word, shell completion."""

import argparse
import functools
import shutil
import sys

from skad.utils.names import check_name, nearest

try:
    import shtab
except ImportError:  # an extra
    shtab = None

SHELLS = ("bash", "zsh", "tcsh")
PATHS = ("FILE", "FOLDER", "STUDY.toml", "FILE.toml", "folder", "maps", "detector", "study")
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
        if shtab is not None and (action.metavar in PATHS or action.dest in PATHS):
            action.complete = shtab.FILE
        return action

    def add_commands(self, commands, shared=()):
        """Declare commands by name, each with its own arguments and the shared ones."""
        self._commands = list(commands)
        parsers = self.add_subparsers(dest="command", required=True, metavar="COMMAND")
        for name, each in commands.items():
            parser = parsers.add_parser(
                name, help=each.purpose, description=_sentence(each.purpose), examples=each.examples
            )
            for names, settings in (*each.arguments, *shared):
                parser.add_argument(*names, **settings)

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
            hint = nearest(name, self._options) or f"see `{self.prog} --help`."
            raise ValueError(f"There is no option {name}{':' if hint.endswith('?') else ';'} {hint}")


class PrintCompletion(argparse.Action):
    """``--print-completion bash``: print a script by shtab, so that no TAB waits for Python to start."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Print the script of all commands for the shell `values`."""
        if shtab is None:
            raise ValueError(f'{option_string} needs shtab: `pip install "skad[completion]"`.')
        print(shtab.complete(parser, values))
        parser.exit()


def _one_of(names, what):
    def known(name):
        try:
            return check_name(name, names, what)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return known


def _sentence(text):
    return f"{text[0].upper()}{text[1:]}."
