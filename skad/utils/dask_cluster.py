"""Workers of a Dask cluster in place of this machine's processes."""

import contextlib

import joblib


@contextlib.contextmanager
def dask_cluster(address):
    """Let `joblib.Parallel` use the Dask scheduler at an address, as ``tcp://10.0.0.1:8786``, in the block.

    A subject whose worker dies is given to another one. Workers read scans and write maps themselves: paths
    have to be the same on all machines.

    Raises
    ------
    ValueError
        Dask is not installed, or no scheduler with workers answers.
    """
    try:
        from dask.distributed import Client  # an extra
    except ImportError as error:
        raise ValueError('--dask needs Dask: `pip install "skad[distributed]"`.') from error
    try:
        client = Client(address)
        client.wait_for_workers(1, timeout=60)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"--dask {address}: no scheduler with workers responds; start `dask scheduler` and "
            "`dask worker ADDRESS`."
        ) from error
    with client, joblib.parallel_config(backend="dask"):
        yield
