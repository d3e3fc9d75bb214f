"""The cohort and the detector of the tests of the command line."""

from ..cli.conftest import brain, cohort, detector, fast, run, write_cohort, write_subject  # noqa: F401
