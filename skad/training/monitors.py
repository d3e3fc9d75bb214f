"""Curves of trainings in TensorBoard or MLflow while they run, by skorch's callbacks."""

import contextlib
import contextvars
import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from skorch.callbacks import Callback, MlflowLogger, TensorBoard

from skad.utils.names import check_name
from skad.utils.optional import import_extra
from skad.utils.ranks import is_main_process

_active: contextvars.ContextVar[Any] = contextvars.ContextVar("skad_monitors", default=())
_MISSING = "{what} needs the package {package} ({{error}}): pip install {package}."


@contextlib.contextmanager
def monitored(monitors: Sequence[str]) -> Iterator[None]:
    """Show the loss of every training in the block, epoch by epoch.

    Each network is a run of its own, named by the order of its training and its estimator. Nothing of this
    is kept in the estimators, so that they can be saved.

    Parameters
    ----------
    monitors : sequence of str
        ``"tensorboard=FOLDER"`` writes event files, ``"mlflow"`` logs to the tracking server that MLflow's
        environment variables name. Other callbacks cannot be named here, because that would run any code
        on the path: pass them to an estimator's ``callbacks``.

    Raises
    ------
    ValueError
        Unknown monitor, or one without its folder.
    ImportError
        TensorBoard or MLflow is not installed.

    Warns
    -----
    UserWarning
        No network was trained in the block.

    See Also
    --------
    Training : Its `callbacks` takes any skorch callback.

    Examples
    --------
    >>> from skad.training import monitored
    >>> with monitored(["tensorboard=runs"]):  # doctest: +SKIP
    ...     detector.fit(volumes)
    """
    makers = [_maker(text) for text in monitors]
    numbers = itertools.count()
    token = _active.set((makers, numbers))
    try:
        yield
    finally:
        _active.reset(token)
    if makers and next(numbers) == 0:
        warnings.warn(f"No network was trained: {', '.join(monitors)} shows nothing.", stacklevel=3)


def monitors_of(name: str) -> list[Callback]:
    """The callbacks of the training that starts now; none outside :func:`monitored`."""
    if not _active.get() or not is_main_process():
        return []
    makers, numbers = _active.get()
    run = f"{next(numbers):02d}-{name}"
    return [make(run) for make in makers]


def _maker(text: str) -> Callable[[str], Callback]:
    name, _, value = text.partition("=")
    return MONITORS[check_name(name, MONITORS, "monitor of trainings")](value)


def _tensorboard(folder):
    if not folder:
        raise ValueError("The monitor tensorboard needs a folder, as in tensorboard=runs.")
    message = _MISSING.format(what="The monitor tensorboard", package="tensorboard")
    writer = import_extra("torch.utils.tensorboard", message).SummaryWriter
    return lambda run: TensorBoard(writer(str(Path(folder, run))))


def _mlflow(value):
    if value:
        raise ValueError(
            f"The monitor mlflow takes no value, got {value!r}: set MLFLOW_TRACKING_URI and "
            "MLFLOW_EXPERIMENT_NAME."
        )
    mlflow = import_extra("mlflow", _MISSING.format(what="The monitor mlflow", package="mlflow"))

    def make(run):
        mlflow.end_run()  # that of the training before
        return MlflowLogger(mlflow.start_run(run_name=run), create_artifact=False)

    return make


MONITORS = {"tensorboard": _tensorboard, "mlflow": _mlflow}
