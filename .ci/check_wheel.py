"""Is in the wheel what belongs there, and nothing else?   python .ci/check_wheel.py dist/*.whl"""

import sys
import zipfile
from email.parser import Parser
from pathlib import PurePosixPath

PACKAGE_DATA = {
    "skad/py.typed",
    "skad/report/niivue/LICENSE.txt",
    "skad/report/niivue/niivue.umd.js.gz",
    "skad/report/templates/preparation.html",
    "skad/report/templates/report.css",
    "skad/report/templates/report.html",
    "skad/report/templates/viewer.js",
}
LICENSES = {"LICENSE", "skad/report/niivue/LICENSE.txt"}
LARGEST = 3_000_000  # bytes


def faults(path):
    """Sentences on what is wrong with a wheel."""
    with zipfile.ZipFile(path) as wheel:
        sizes = {info.filename: info.compress_size for info in wheel.infolist()}
        info = {name for name in sizes if PurePosixPath(name).parts[0].endswith(".dist-info")}
        metadata = Parser().parsestr(wheel.read(_only(info, "METADATA")).decode())
        entry_points = wheel.read(_only(info, "entry_points.txt")).decode()
    data = {name for name in sizes.keys() - info if not name.endswith(".py")}
    strange = {name for name in sizes.keys() - info if not name.startswith("skad/")}
    tests = {name for name in sizes if {"tests", "benchmarks", "docs"} & {*PurePosixPath(name).parts}}
    licenses = {name.partition("/licenses/")[2] for name in info} - {""}
    for names, text in (
        (data - PACKAGE_DATA, "neither code nor known package data"),
        (PACKAGE_DATA - data, "package data that are missing"),
        (strange | tests, "not part of the package"),
        (LICENSES - licenses, "licenses that are missing"),
        (LICENSES - {*metadata.get_all("License-File", [])}, "licenses that the metadata do not name"),
    ):
        if names:
            yield f"{text}: {', '.join(sorted(names))}"
    if "ISC" not in (metadata["License-Expression"] or ""):
        yield f"License-Expression is {metadata['License-Expression']}"
    for command in ("skad = skad.cli:main", "skad-bids = skad.bids_app:main"):
        if command not in entry_points:
            yield f"no command {command}"
    if sum(sizes.values()) > LARGEST:
        yield f"{sum(sizes.values())} bytes, more than {LARGEST}"


def _only(names, ending):
    return next(name for name in names if PurePosixPath(name).name == ending)


if __name__ == "__main__":
    found = [f"{path}: {fault}" for path in sys.argv[1:] for fault in faults(path)]
    sys.exit("\n".join(found) or ("no wheel given" if len(sys.argv) < 2 else 0))
