"""What a GPU does: speed, memory, share of its peak, and whether its maps are those of a CPU.

    python benchmarks/gpu.py --out docs/results/gpu.csv --minutes 12
    python benchmarks/gpu.py --page docs/results/gpu.csv --out docs/results/gpu.md
    python benchmarks/gpu.py --out /tmp/gpu.csv --device cpu --tiny          # does the script still run?

Needs the core dependencies of skad (and pytest for the part "tests"); its images are simulated on the spot.
Parts run in the order of their importance, each in a process of its own that ends at the part's time limit.
Each result is written when it is there, so that a run that is cut off leaves what it has measured.
"""

import argparse
import multiprocessing
import sys
import time
from pathlib import Path

from gpu_inputs import FULL, TINY, make_inputs
from gpu_page import write_page
from gpu_parts import PARTS
from gpu_results import Results, read_results

SECONDS_TO_START = 3  # a part that has less is not begun


def run(path, *, device, minutes, scale, only=()):
    """Run the parts one after the other; what a part does not use of its time goes to those after it.

    Returns
    -------
    bool
        Whether no part has failed.
    """
    end = time.monotonic() + 60 * minutes
    results = Results(path)
    results.start()
    inputs = make_inputs(scale)
    results.add("inputs", "simulated", time.monotonic() - (end - 60 * minutes), "s")
    parts = {name: part for name, part in PARTS.items() if not only or name in only}
    while parts:
        name, (function, weight) = next(iter(parts.items()))
        left = end - time.monotonic()
        seconds = left * weight / sum(each for _, each in parts.values())
        del parts[name]
        if seconds < SECONDS_TO_START:
            results.add(name, "not begun", note=f"{left:.0f} s were left for {len(parts) + 1} parts")
        else:
            _run_part(name, function, results, inputs, device, seconds, left)
    return not any(row["measure"] == "failed" for row in read_results(path))


def _run_part(name, function, results, inputs, device, seconds, left):
    """One part in a process of its own: it plans for its share, and is ended in time for the others."""
    limit = min(max(1.5 * seconds, 20), left)
    begin = time.monotonic()
    print(f"{name}: {seconds:.0f} s planned, {limit:.0f} s at most", flush=True)
    process = multiprocessing.get_context("spawn").Process(
        target=_guarded, args=(name, function, results, inputs, device, begin + seconds)
    )
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
        results.add(name, "cut off", limit, "s")
    results.add(name, "took", time.monotonic() - begin, "s")


def _guarded(name, function, results, inputs, device, deadline):
    """A part's failure is a result of its own."""
    try:
        for row in function(inputs, device, deadline):
            results.add(name, *row)
    except Exception as error:  # the other parts are still to come
        results.add(name, "failed", note=" ".join(f"{type(error).__name__}: {error}".split())[:300])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV, or the page")
    parser.add_argument("--page", type=Path, metavar="CSV", help="write the page from these results")
    parser.add_argument("--minutes", type=float, default=12.0, help="for all parts; default: 12")
    parser.add_argument("--device", default="cuda", help="default: cuda")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[], help="run these parts")
    parser.add_argument("--tiny", action="store_true", help="smallest networks and images")
    arguments = parser.parse_args()
    if arguments.page:
        write_page(arguments.page, arguments.out)
        return 0
    scale = TINY if arguments.tiny else FULL
    chosen = {"device": arguments.device, "minutes": arguments.minutes, "only": arguments.only}
    return 0 if run(arguments.out, scale=scale, **chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
