"""A small cohort on disk and a detector trained on it, for every test of the command line."""

import re

import numpy as np
import pytest

from skad.cli import main
from skad.io import Volume, write_map

PROGRESS = re.compile(r"\d\d:\d\d:\d\d ")
SHAPE = (20, 24, 6)  # all different, so that no transposition goes unnoticed
AFFINE = np.array([[-2.0, 0, 0, 20], [0, 2, 0, -24], [0, 0, 5, -15], [0, 0, 0, 1]])
FAST = (
    "--epochs 1 --set reference__width=2 reference__n_blocks=0 score__width=2 score__n_components=2 "
    "preprocessor__size=(24,24)"
).split()


@pytest.fixture(scope="session")
def fast():
    """Arguments that make ``skad fit`` quick."""
    return FAST


@pytest.fixture(scope="session")
def brain():
    """Simulate a subject: ``brain(seed, contrasts=..., shape=...)``."""
    return _brain


@pytest.fixture(scope="session")
def write_subject():
    """Write a volume in BIDS layout: ``write_subject(folder, volume)`` gives the folder of its scans."""
    return _write_subject


@pytest.fixture(scope="session")
def write_cohort():
    """Write several subjects: ``write_cohort(folder, n_subjects)`` gives the folder."""
    return _write_cohort


def _brain(seed, contrasts=("T1w", "FLAIR"), shape=SHAPE, affine=AFFINE):
    """A volume of noise with a slightly brighter block as lesion in its two middle slices."""
    rng = np.random.default_rng(seed)
    grid = np.indices(shape) / np.reshape(shape, (3, 1, 1, 1)) - 0.45
    inside = (grid[:2] ** 2).sum(axis=0) < 0.16
    tissue = rng.uniform(1, 2, shape)
    images = {name: (100 * (i + tissue) * inside).astype(np.float32) for i, name in enumerate(contrasts)}
    labels = np.zeros(shape, dtype=np.int32)
    labels[8:11, 8:12, 2:4] = 1
    images[contrasts[-1]][labels > 0] += 40
    return Volume(images, affine, subject=f"sub-{seed:02d}", labels=labels)


def _write_subject(folder, volume):
    """Write a volume in BIDS layout; the folder of its scans."""
    anat = folder / volume.subject / "anat"
    for name, image in {**volume.contrasts, "label-lesion_mask": volume.labels}.items():
        write_map(image, volume, anat / f"{volume.subject}_{name}.nii.gz")
    return anat


def _write_cohort(folder, n_subjects=3):
    """Write several subjects; returns the folder."""
    for seed in range(1, n_subjects + 1):
        _write_subject(folder, _brain(seed))
    return folder


@pytest.fixture(scope="session")
def cohort(tmp_path_factory):
    """Three good subjects; not to be changed."""
    return _write_cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="session")
def detector(cohort, tmp_path_factory):
    """A detector fitted on the cohort; not to be changed."""
    path = tmp_path_factory.mktemp("detector") / "adm.skad"
    assert main(["fit", str(cohort), "--method", "adm", "--out", str(path), *FAST]) == 0
    return path


@pytest.fixture
def run(capsys):
    """Run ``skad`` with these arguments; gives exit code, standard output, lines of standard error.

    Lines of progress, which begin with the time, are left out.
    """

    def run(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        errors = [line for line in captured.err.splitlines() if not PROGRESS.match(line)]
        return code, captured.out, errors

    return run
