"""Commands on a Dask cluster; one of its workers is killed while it works."""

import contextlib
import os
import signal
import threading
import time
from importlib.util import find_spec

import numpy as np
import pytest

from skad.io import Volume, write_map
from skad.io.nifti import open_nifti

distributed = pytest.importorskip("dask.distributed", reason="needs the extra [distributed]")
pytestmark = pytest.mark.filterwarnings("ignore")  # of dask's own


@pytest.fixture(scope="module")
def two_workers():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def maps_of(folder):
    return {path.name: open_nifti(path).load() for path in folder.rglob("*_map.nii.gz")}


def kill_a_worker_after_the_first_map(client, folder, killed):
    while not any(folder.rglob("*_map.nii.gz")):
        time.sleep(0.01)
    pid = next(iter(client.run(os.getpid).values()))
    os.kill(pid, signal.SIGKILL)
    killed.append(pid)


def test_score_gives_the_same_maps_when_a_worker_is_killed(
    two_workers, detector, write_cohort, tmp_path, run
):
    folder = write_cohort(tmp_path / "in", 12)
    common = ("--no-figures", "--no-report")
    assert run("score", detector, folder, "--out", tmp_path / "here", *common)[0] == 0
    killed = []
    killer = threading.Thread(
        target=kill_a_worker_after_the_first_map, args=(two_workers, tmp_path / "there", killed)
    )
    killer.start()
    address = two_workers.scheduler.address
    assert run("score", detector, folder, "--out", tmp_path / "there", "--dask", address, *common)[0] == 0
    killer.join()
    here, there = maps_of(tmp_path / "here"), maps_of(tmp_path / "there")
    assert killed and here.keys() == there.keys() and len(here) == 12
    for name, anomaly in here.items():
        np.testing.assert_array_equal(there[name], anomaly)


@contextlib.contextmanager
def a_worker_killed_at_work(client):
    """Stop the workers until tasks wait at one, kill it and let the other go on; gives who was killed."""
    pids, killed = client.run(os.getpid), []
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)

    def kill():
        busy, end = [], time.monotonic() + 60
        while not busy and time.monotonic() < end:
            time.sleep(0.01)
            busy = [worker for worker, tasks in client.processing().items() if tasks]
        for worker in busy[:1]:
            os.kill(pids[worker], signal.SIGKILL)
            killed.append(worker)
        for worker in pids.keys() - set(killed):
            os.kill(pids[worker], signal.SIGCONT)

    killer = threading.Thread(target=kill)
    killer.start()
    yield killed
    killer.join()


def test_evaluate_gives_the_same_tables_when_a_worker_is_killed(
    two_workers, detector, write_cohort, tmp_path, run
):
    folder, maps = write_cohort(tmp_path / "in", 6), tmp_path / "maps"
    assert run("score", detector, folder, "--out", maps, "--no-figures", "--no-report")[0] == 0
    arguments = ("evaluate", maps, folder, "--no-report")
    assert run(*arguments)[0] == 0
    here = {path.name: path.read_bytes() for path in maps.glob("*.csv")}
    with a_worker_killed_at_work(two_workers) as killed:
        assert run(*arguments, "--dask", two_workers.scheduler.address)[0] == 0
    there = {path.name: path.read_bytes() for path in maps.glob("*.csv")}
    assert killed and here == there and len(here) > 2


def test_calibrate_gives_the_same_threshold_when_a_worker_is_killed(
    two_workers, detector, brain, write_subject, tmp_path, run
):
    for seed in range(41, 53):
        volume = brain(seed, shape=(60, 72, 8))
        none = np.zeros_like(volume.labels)
        normal = Volume(dict(volume.contrasts), volume.affine, subject=volume.subject, labels=none)
        write_subject(tmp_path / "in", normal)
    arguments = ("calibrate", detector, tmp_path / "in", "--fpr", 0.5, "--out")
    assert run(*arguments, tmp_path / "here.skad")[0] == 0
    with a_worker_killed_at_work(two_workers) as killed:
        address = two_workers.scheduler.address
        assert run(*arguments, tmp_path / "there.skad", "--dask", address)[0] == 0
    assert killed
    assert (tmp_path / "here.skad").read_bytes() == (tmp_path / "there.skad").read_bytes()


@pytest.mark.skipif(find_spec("SimpleITK") is None, reason="needs SimpleITK: pip install 'skad[prepare]'")
def test_prepare_writes_the_same_scans_when_a_worker_is_killed(
    two_workers, brain, write_subject, tmp_path, run
):
    for seed in range(1, 7):
        volume = brain(seed, shape=(40, 48, 16))
        write_subject(tmp_path / "in", volume)
        mask = (np.asarray(volume.contrasts["T1w"]) > 0).astype(np.uint8)
        write_map(mask, volume, tmp_path / "masks" / f"{volume.subject}.nii.gz")
    arguments = ("prepare", tmp_path / "in", "--to", "T1w", "--no-bias")
    masks = ("--masks", tmp_path / "masks" / "{subject}.nii.gz", "--out")
    assert run(*arguments, *masks, tmp_path / "here")[0] == 0
    with a_worker_killed_at_work(two_workers) as killed:
        address = ("--dask", two_workers.scheduler.address)
        assert run(*arguments, *address, *masks, tmp_path / "there")[0] == 0
    here, there = (
        {path.name: path.read_bytes() for path in (tmp_path / where).rglob("*.nii.gz")}
        for where in ("here", "there")
    )
    assert killed and here == there and len(here) >= 18


def test_a_scheduler_that_does_not_answer_is_a_mistake_in_one_line(detector, cohort, tmp_path, run):
    dask = pytest.importorskip("dask")
    with dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}):
        code, _, err = run("score", detector, cohort, "--out", tmp_path / "o", "--dask", "tcp://127.0.0.1:9")
    assert code == 2 and "no scheduler with workers responds" in err[-1]
