"""How the code is built, in numbers: files, functions, constructors, imports, documentation.

    python benchmarks/structure.py --out docs/results/structure.md

Lines are physical lines; a function's are those of its body without its docstring. Depth is the longest chain
of imports from a module downwards; a name that a package passes on counts as imported from the module that
defines it, which is what happens at run time. A hidden import stands inside a function; `skad.utils.lazy`,
which imports by name at first use, is the exception that the design names.
"""

import argparse
import ast
import inspect
import re
import statistics
from importlib import import_module
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
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


def main():
    """Measure and print, or write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="the page; default: print")
    arguments = parser.parse_args()
    page = "\n".join(_page(measure())) + "\n"
    if arguments.out:
        arguments.out.write_text(page)
    else:
        print(page)


def measure():
    """The numbers by name, in the order of the page."""
    files = {path: path.read_text() for path in sorted((ROOT / "skad").rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in files.items()}
    lines = sorted(len(text.splitlines()) for text in files.values())
    functions = sorted(length for tree in trees.values() for length in function_lengths(tree))
    constructors = sorted(count for tree in trees.values() for count in constructor_counts(tree))
    graph = grimp.build_graph("skad")
    depth = depths({module_name(path): tree for path, tree in trees.items()})
    described, parameters = documented_parameters()
    tests = sum(len(path.read_text().splitlines()) for path in (ROOT / "tests").rglob("*.py"))
    return {
        "files": len(files),
        "lines per file, median / 90th percentile": f"{_quantiles(lines)}",
        "files above 400 lines": sum(length > 400 for length in lines),
        "lines per function, median / 90th percentile": f"{_quantiles(functions)}",
        "constructor parameters, median / most": f"{statistics.median(constructors):g} / {constructors[-1]}",
        "depth of imports from the deepest command": max(
            value for name, value in depth.items() if name.startswith(COMMANDS)
        ),
        "depth of imports from the deepest estimator": max(
            value for name, value in depth.items() if name.startswith(ESTIMATORS)
        ),
        "circles of imports": len(circles(graph)),
        "imports inside functions (extras apart)": sum(len(hidden_imports(tree)) for tree in trees.values()),
        "lines of `skad/cli`, `skad/bids_app`": ", ".join(
            str(sum(len(text.splitlines()) for path, text in files.items() if package in path.parts))
            for package in ("cli", "bids_app")
        ),
        "lines of tests per line of code": f"{tests / sum(lines):.2f}",
        "parameters of exported objects with a description": f"{described} of {parameters}",
    }


def function_lengths(tree):
    """Lines of the body of every function, without its docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield body[-1].end_lineno - body[0].lineno + 1 if body else 0


def constructor_counts(tree):
    """Parameters of every ``__init__``, without self."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            yield len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs) - 1


def hidden_imports(tree):
    """Modules imported inside functions."""
    return [
        name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
        if name.partition(".")[0] not in OPTIONAL
    ]


def circles(graph):
    """Pairs of modules that import each other, directly or through others."""
    reach = {name: graph.find_downstream_modules(name) for name in graph.modules}
    return [(a, b) for a in reach for b in reach[a] if a < b and a in reach[b]]


def depths(modules):
    """The longest chain of imports below every module of ``{name: tree}``, itself included."""
    exports = {name: dict(passed_on(tree)) for name, tree in modules.items() if is_facade(tree)}
    known = {}

    def depth(name):
        if name not in known:
            known[name] = 0  # a circle ends here
            below = () if name in exports else imported(modules[name], modules, exports) - {name}
            known[name] = 1 + max(map(depth, below), default=0)
        return known[name]

    return {name: depth(name) for name in modules}


def module_name(path):
    """The dotted name of a file of skad."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def is_facade(tree):
    """Whether a package only passes on names of its modules, at first use."""
    return any(name == "lazy_exports" for name, _ in passed_on(tree))


def passed_on(tree):
    """The names that a module imports from modules of skad, and those modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skad"):
            yield from ((alias.name, node.module) for alias in node.names)


def imported(tree, modules, exports):
    """The modules that define what a module imports."""
    found = {
        f"{module}.{name}" if f"{module}.{name}" in modules else exports.get(module, {}).get(name, module)
        for name, module in passed_on(tree)
    }
    plain = (alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names)
    return found | (set(plain) & modules.keys())


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
    return f"{statistics.median(values):g} / {values[int(0.9 * len(values))]}"


def _page(numbers):
    yield "# Structure of the code"
    yield ""
    yield "Written by `python benchmarks/structure.py --out docs/results/structure.md`."
    yield ""
    yield "| what | skad |"
    yield "|---|---|"
    for name, value in numbers.items():
        yield f"| {name} | {value} |"


if __name__ == "__main__":
    main()
