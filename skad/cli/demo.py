"""``skad demo``: the whole way on simulated brains, as files, through the other commands."""

import shlex
import shutil
from pathlib import Path

from skad.cli.main import call, function_of, parser
from skad.cli.terminal import REPORT, record_tables, tell
from skad.demonstration import SIZES, compare_methods, simulate_cohorts
from skad.derivatives import Derivative
from skad.utils.folders import new_folder
from skad.utils.tables import write_table


def demo(*, out, size, method, seed, device, jobs, overwrite):
    """Simulate normal brains and patients, train, score and evaluate; the first exit code that is not 0."""
    out, plan = Path(out), SIZES[size]
    table = out / "table.csv"
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise ValueError(f"{out} is not empty: choose another --out, or add --overwrite.")
    for folder in ("normal", "patients", "maps", "figures"):
        shutil.rmtree(out / folder, ignore_errors=True)
    with new_folder(out):
        tell(f"Simulating {plan.normal} normal brains and {plan.patients} patients with a glioma.")
        patients = simulate_cohorts(plan, out, seed)
        for name in method:
            for command in _commands(name, out, plan.fit[name], seed=seed, device=device, jobs=jobs):
                if code := _run(command):
                    return code
        maps = {name: Derivative(out / "maps" / name) for name in method}
        rows = compare_methods(maps, patients, out / "figures")
        write_table(rows, table)
        record_tables({table: rows})
    tell(f"Side by side: {table}, {out / 'figures' / 'sub-*.png'}.")
    tell(
        f"To look around in, in a browser: {', '.join(str(each.folder / REPORT) for each in maps.values())}."
    )
    return 0


def _commands(method, out, words, *, seed, device, jobs):
    """Fit, score and evaluate with one method, as a user would type it."""
    detector, maps = out / f"{method}.skad", out / "maps" / method
    machine = ["--device", device] * (device != "auto") + ["--jobs", jobs] * (jobs is not None)
    yield ["fit", out / "normal", "--method", method, "--out", detector, "--overwrite", "--seed", seed] + (
        machine + words.split()
    )
    yield ["score", detector, out / "patients", "--out", maps, *machine]
    yield ["evaluate", maps, out / "patients"]


def _run(words):
    """Run a command of skad, saying it."""
    words = [str(word) for word in words]
    tell(f"$ skad {shlex.join(words)}")
    options = vars(parser().parse_args(words))
    for each in ("json", "quiet", "verbose", "log"):  # as for the demonstration
        del options[each]
    return call(function_of(options.pop("command")), options)
