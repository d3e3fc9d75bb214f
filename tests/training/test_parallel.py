"""Two processes train one network as one process with the doubled batch does."""

import os
import pickle
import socket
import subprocess
import sys

import numpy as np
import pytest

from skad.scoring import DeepSVDDScorer

# Without batch norm and random views, and with all slices foreground, the mean over a batch is that over its
# halves: curves differ by rounding only.
SVDD = {"n_features": 3, "width": 4, "depth": 2, "max_epochs": 4, "lr": 1e-2, "random_state": 0}
DENSITY = {"n_components": 2, "width": 3, "max_epochs": 2, "batch_size": 2, "random_state": 0}
TOGETHER = """
import os, pickle, sys
from pathlib import Path
from skad.scoring import DeepSVDDScorer, JointDRGMM
from skad.training import checkpoint_in
folder = Path(sys.argv[1])
written = set()

def note(event, args):
    if event in ("open", "os.rename") and str(folder) in str(args[0]):
        if event != "open" or args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.add(str(args[0]))

sys.addaudithook(note)
X, svdd, density = pickle.loads((folder / "task").read_bytes())
with checkpoint_in(folder / "checkpoints"):
    first = DeepSVDDScorer(**svdd, batch_size=2).fit(X)
with checkpoint_in(folder / "checkpoints"):
    resumed = DeepSVDDScorer(**{**svdd, "max_epochs": svdd["max_epochs"] + 1}, batch_size=2).fit(X)
fitted = first, resumed, JointDRGMM(**density).fit(X), sorted(written)
(folder / f"fitted-{os.environ['RANK']}").write_bytes(pickle.dumps(fitted))
"""


def slices(n=11):
    return np.random.default_rng(0).normal(size=(n, 2, 7, 9)).astype(np.float32)


def free_port():
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Of each of two processes: Deep SVDD, the same with one more epoch, a density, the files it wrote."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "task").write_bytes(pickle.dumps((slices(), SVDD, DENSITY)))
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    command = [sys.executable, "-c", TOGETHER, str(folder)]
    processes = [subprocess.Popen(command, env={**shared, "RANK": str(rank)}) for rank in (0, 1)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    return [pickle.loads((folder / f"fitted-{rank}").read_bytes()) for rank in (0, 1)]


def test_two_processes_have_the_loss_curve_of_one_with_the_doubled_batch(fitted):
    alone = DeepSVDDScorer(**SVDD, batch_size=4).fit(slices())
    for together, *_ in fitted:
        np.testing.assert_allclose(together.loss_curve_, alone.loss_curve_, rtol=1e-5)
        np.testing.assert_allclose(
            together.score_samples(slices()), alone.score_samples(slices()), rtol=1e-3, atol=1e-5
        )


def test_a_checkpoint_of_two_processes_is_resumed_by_two(fitted):
    alone = DeepSVDDScorer(**{**SVDD, "max_epochs": SVDD["max_epochs"] + 1}, batch_size=4).fit(slices())
    for _, resumed, *_ in fitted:
        np.testing.assert_allclose(resumed.loss_curve_, alone.loss_curve_, rtol=1e-5)


def test_only_the_first_process_writes_files(fitted):
    (*_, by_the_first), (*_, by_the_second) = fitted
    assert any("checkpoints" in path for path in by_the_first) and by_the_second == []


def test_both_processes_end_with_one_network(fitted):
    (first, _, density, _), (second, _, other, _) = fitted
    for mine, yours in ((first, second), (density, other)):
        for name, value in mine.module_.state_dict().items():
            np.testing.assert_array_equal(value, yours.module_.state_dict()[name])


def test_the_final_mixture_is_that_of_the_slices_of_both(fitted):
    scorer = fitted[0][2]
    expected = scorer._stream(slices(), scorer.module_.responsibilities)
    for found, each in zip((scorer.weights_, scorer.means_, scorer.covariances_), expected, strict=True):
        np.testing.assert_allclose(found, each, rtol=1e-6, atol=1e-9)
