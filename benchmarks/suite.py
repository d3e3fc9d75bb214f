"""The studies of this folder, by name; the same as ``skad benchmark benchmarks/studies/NAME.toml``.

python benchmarks/suite.py phantom --jobs 2
python benchmarks/suite.py glioma --data ../shared/data --out results/glioma
"""

import sys
from pathlib import Path

from skad.cli import main

STUDIES = Path(__file__).parent / "studies"

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments and (STUDIES / f"{arguments[0]}.toml").exists():
        arguments[0] = str(STUDIES / f"{arguments[0]}.toml")
    sys.exit(main(["benchmark", *arguments]))
