"""How the code is built, in numbers, compared with packages whose code it takes as examples.

    pip install --no-deps --target models skglm torchio    # the others are installed with skad
    PYTHONPATH=models python benchmarks/structure.py --out docs/results/structure.md

Lines are physical lines; a function's are those of its body without its docstring. Depth is the longest chain
of imports from a module downwards, in which modules that import each other count as one; a name that a
package passes on at first use counts as imported from the module that defines it, which is what happens at
run time. A hidden import stands inside a function; `skad.utils.lazy`, which imports by name at first use, is
the exception that the design names. Tests inside a package are left out. No package is imported but skad.
"""

import argparse
import ast
import functools
import inspect
import re
import statistics
from collections import Counter
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).parents[1]
MODELS = {
    "skglm": "skglm",
    "torchio": "torchio",
    "skorch": "skorch",
    "nilearn": "nilearn",
    "scikit-learn": "sklearn",
}  # by the name of their distribution
NOT_THEIRS = {"tests", "test", "conftest.py", "externals", "_externals"}  # tests, copies of other packages
COMMANDS, ESTIMATORS = ("skad.cli.", "skad.bids_app."), ("skad.scoring.", "skad.reconstruction.")
OPTIONAL = {
    "SimpleITK",
    "deepbet",
    "shtab",
    "distributed",
    "dask",
    "pooch",
    "pytest",
}  # of extras: imported when they are needed
MOST = 16  # parameters of a constructor


def main():
    """Measure and print, or write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="the page; default: print")
    arguments = parser.parse_args()
    if missing := [name for name, package in MODELS.items() if find_spec(package) is None]:
        parser.error(f"{', '.join(missing)} should be installed, to be measured as well")
    columns = {"skad": measure("skad")}
    columns |= {f"{name} {version(name)}": measure(package) for name, package in MODELS.items()}
    page = "\n".join(_page(columns, measure_skad())) + "\n"
    if arguments.out:
        arguments.out.write_text(page)
    else:
        print(page)


def measure(package):
    """The numbers of any package by name, in the order of the page."""
    files = sources(package)
    trees = trees_of(package)
    lines = [len(text.splitlines()) for path, text in files.items() if path.name != "__init__.py"]
    functions = [length for tree in trees.values() for length in function_lengths(tree)]
    constructors = [count for tree in trees.values() for _, count in constructors_of(tree)]
    graph = imports_of(package)
    hidden = [name for tree in trees.values() for name in hidden_imports(tree, package)]
    return {
        "files": len(files),
        "lines per file other than `__init__.py`, median / 90th percentile": _quantiles(lines),
        "files above 400 lines": sum(length > 400 for length in lines),
        "lines per function, median / 90th percentile": _quantiles(functions),
        "constructor parameters, median / most": f"{statistics.median(constructors):g} / {max(constructors)}",
        "depth of imports from the deepest module": max(depths(graph).values()),
        "circles of imports": sum(size > 1 for size in Counter(components(graph).values()).values()),
        "imports of its own modules inside functions": len(hidden),
    }


def measure_skad():
    """The numbers that are of interest for skad only."""
    files, trees = sources("skad"), trees_of("skad")
    depth = depths(imports_of("skad"))

    def total(*paths):
        below = [Path("skad", path) for path in paths]
        found = (text for path, text in files.items() if {path, *path.parents} & {*below})
        return sum(len(text.splitlines()) for text in found)

    tests = sum(len(path.read_text().splitlines()) for path in (ROOT / "tests").rglob("*.py"))
    described, parameters = documented_parameters()
    long = sorted(
        (count, name) for tree in trees.values() for name, count in constructors_of(tree) if count > MOST
    )
    return {
        "depth of imports from the deepest command": max(
            value for name, value in depth.items() if name.startswith(COMMANDS)
        ),
        "depth of imports from the deepest estimator": max(
            value for name, value in depth.items() if name.startswith(ESTIMATORS)
        ),
        "imports inside functions (extras apart)": sum(len(hidden_imports(tree)) for tree in trees.values()),
        "lines of `skad/cli`": total("cli"),
        "of which options and their parser": total("cli/arguments.py", "cli/parser.py"),
        "of which printing, exit codes, reading scans": total(
            "cli/terminal.py", "cli/main.py", "cli/scans.py"
        ),
        "lines of `skad/bids_app`": total("bids_app"),
        "lines of tests per line of code": f"{tests / sum(len(t.splitlines()) for t in files.values()):.2f}",
        "parameters of exported objects with a description": f"{described} of {parameters}",
        f"constructors with more than {MOST} parameters": ", ".join(
            f"`{name}` {count}" for count, name in reversed(long)
        ),
    }


@functools.cache
def sources(package):
    """The text of every file of a package."""
    root = Path(find_spec(package).submodule_search_locations[0])
    paths = sorted(path.relative_to(root.parent) for path in root.rglob("*.py"))
    return {path: (root.parent / path).read_text() for path in paths if not NOT_THEIRS & {*path.parts}}


@functools.cache
def trees_of(package):
    """The syntax tree of every module of a package, by dotted name; relative imports are made absolute."""
    trees = {}
    for path, text in sources(package).items():
        *above, name = path.with_suffix("").parts
        tree = trees[".".join(above if name == "__init__" else [*above, name])] = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                source = [*above[: len(above) + 1 - node.level], node.module or ""]
                node.module, node.level = ".".join(filter(None, source)), 0
    return trees


def function_lengths(tree):
    """Lines of the body of every function, without its docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield body[-1].end_lineno - body[0].lineno + 1 if body else 0


def constructors_of(tree):
    """Every class with an ``__init__``, and the number of its parameters without self."""
    for each in ast.walk(tree):
        for node in each.body if isinstance(each, ast.ClassDef) else ():
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                names = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                yield each.name, len(names) - 1


def hidden_imports(tree, package=None):
    """Modules imported inside functions: those of a package, or all that are not of an extra."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    names = [name for function in functions for name in modules_in(ast.walk(function))]
    tops = {name: name.partition(".")[0] for name in names}
    return [name for name in names if (tops[name] == package if package else tops[name] not in OPTIONAL)]


def modules_in(nodes):
    """The modules that imports name."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imports_of(package):
    """The modules of a package that each of its modules imports when it is imported itself."""
    modules = trees_of(package)
    exports = {name: dict(passed_on(ast.walk(tree))) for name, tree in modules.items() if is_facade(tree)}
    graph = {}
    for module, tree in modules.items():
        found = {
            f"{source}.{name}" if f"{source}.{name}" in modules else exports.get(source, {}).get(name, source)
            for name, source in passed_on(run_at_import(tree))
        }
        found |= {*modules_in(node for node in run_at_import(tree) if isinstance(node, ast.Import))}
        graph[module] = set() if module in exports else (found & modules.keys()) - {module}
    return graph


def passed_on(nodes):
    """The names that ``from ... import`` imports, and the modules they come from."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield from ((alias.name, node.module) for alias in node.names)


def run_at_import(tree):
    """The nodes outside of functions and of what is for type checkers only."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def is_facade(tree):
    """Whether a package only passes on names of its modules, at first use."""
    return any(name == "lazy_exports" for name, _ in passed_on(ast.walk(tree)))


def components(graph):
    """The number of the circle that every module is in; a module in none has a number of its own."""
    number = {name: i for i, name in enumerate(graph)}
    edges = np.zeros((len(graph), len(graph)), dtype=bool)
    for name, below in graph.items():
        edges[number[name], [number[each] for each in below]] = True
    _, labels = connected_components(edges, directed=True, connection="strong")
    return dict(zip(graph, labels.tolist(), strict=True))


def depths(graph):
    """The longest chain of imports below every module, itself included; a circle counts as one module."""
    circle = components(graph)
    below = {number: set() for number in circle.values()}
    for name, names in graph.items():
        below[circle[name]] |= {circle[each] for each in names} - {circle[name]}

    @functools.cache
    def depth(number):
        return 1 + max(map(depth, below[number]), default=0)

    return {name: depth(number) for name, number in circle.items()}


def documented_parameters():
    """Parameters of exported objects that have a description of their own, and all of them."""
    described = total = 0
    for package in sorted(p.parent.name for p in (ROOT / "skad").glob("*/__init__.py")):
        module = import_module(f"skad.{package}")
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if callable(value) and not inspect.isabstract(value):
                names = [n for n in _signature(value) if n != "self" and not n.startswith("_")]
                total += len(names)
                described += sum(_is_described(inspect.getdoc(value) or "", n) for n in names)
    return described, total


def _signature(value):
    try:
        parameters = inspect.signature(value).parameters
    except (TypeError, ValueError):
        return []
    return [n for n, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _is_described(docstring, name):
    """Whether a numpydoc entry of this name has text, or a type, of its own."""
    entry = re.search(rf"^(?:\w+, )*{re.escape(name)}(?:, \w+)* :.*\n((?: +.+\n?)*)", docstring, flags=re.M)
    return entry is not None and "As in" not in entry.group(1) and "as in :class" not in entry.group(1)


def _quantiles(values):
    values = sorted(values)
    return f"{statistics.median(values):g} / {values[int(0.9 * len(values))]}"


def _page(columns, of_skad):
    yield "# Structure of the code"
    yield ""
    yield "skad, compared with five packages whose code it takes as examples. Tests are left out. All"
    yield "numbers are written by `python benchmarks/structure.py --out docs/results/structure.md`; the"
    yield "docstring of the script defines them."
    yield ""
    yield f"| what | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    for name in columns["skad"]:
        yield f"| {name} | {' | '.join(str(numbers[name]) for numbers in columns.values())} |"
    yield ""
    yield "Measured for skad only:"
    yield ""
    yield "| what | skad |"
    yield "|---|---|"
    for name, value in of_skad.items():
        yield f"| {name} | {value} |"


if __name__ == "__main__":
    main()
