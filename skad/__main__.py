"""``python -m skad`` is ``skad``."""

import sys

from skad.cli import main

if __name__ == "__main__":
    sys.exit(main())
