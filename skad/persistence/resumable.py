"""A run that may be killed at any moment: its unfinished state beside its output, and how it is resumed."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from skad.io import Volume
from skad.persistence.files import save
from skad.training import checkpoint_in
from skad.utils.files import sha256, sweep, write_json
from skad.utils.folders import new_folder
from skad.utils.locks import locked
from skad.utils.ranks import is_main_process, rank
from skad.utils.typing import PathLike

_MARK, _RUN, _SLICES = "saved.json", "settings.json", "slices.npy"


class Unfinished:
    """The folder beside an output file in which a run keeps what it needs to be resumed.

    Parameters
    ----------
    out : path-like
        The file that the run makes.
    ending : str
        Of the folder's name, for example ``".checkpoints"``.
    state : str
        Pattern of the names of the files that a resumed run can use.
    what : str, default="run"
        What the run is called in messages.
    """

    def __init__(self, out: PathLike, ending: str, state: str, *, what: str = "run") -> None:
        self.out = Path(out)
        self.folder = self.out.with_name(self.out.name + ending)
        self.state = state
        self.what = what

    @property
    def has_begun(self) -> bool:
        """Whether there is something to resume."""
        return any(self.folder.rglob(self.state))

    def is_complete(self) -> bool:
        """Whether the output was written, and the run was killed before it could remove the folder."""
        mark = self.folder / _MARK
        return (
            mark.exists()
            and self.out.is_file()
            and json.loads(mark.read_text())["SHA256"] == sha256(self.out)
        )

    def finish(self) -> None:
        """Note that the output is written, and remove the folder, the note last."""
        write_json({"SHA256": sha256(self.out)}, self.folder / _MARK)
        self.remove()

    def remove(self) -> None:
        """Remove the folder of a run whose output is written."""
        for path in self.folder.iterdir():
            if path.name != _MARK:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(self.folder)

    def check_free(self, *, resume: bool, overwrite: bool) -> None:
        """Raise where something that is already computed would be lost by a forgotten option.

        Raises
        ------
        ValueError
            The output or an unfinished run is there, and may be neither resumed nor overwritten.
        """
        check_free(self.out, overwrite=overwrite or (resume and self.has_begun))
        if self.has_begun and not (resume or overwrite):
            raise ValueError(
                f"{self.folder} holds an unfinished {self.what}: resume it (--resume), or overwrite it "
                "(--overwrite)."
            )


def check_free(path: PathLike, *, overwrite: bool) -> None:
    """Raise where a file that is to be written is there already, and may not be overwritten.

    Raises
    ------
    ValueError
        Names the file.
    """
    path = Path(path)
    if path.is_dir():
        example = path / "detector.skad"
        raise ValueError(f"{path} is a folder: give the name of a file (--out), for example {example}.")
    if path.exists() and not overwrite:
        raise ValueError(
            f"{path} already exists: choose another name (--out), or overwrite it (--overwrite)."
        )


class ResumableFit:
    """Train a detector into a file; a training that was interrupted goes on from its last finished epoch.

    Checkpoints lie in a folder beside the file, which is removed when the file is written.

    Parameters
    ----------
    path : path-like
        The file, for example ``"adm.skad"``.
    resume : bool, default=False
        Whether to go on with an unfinished training.
    overwrite : bool, default=False
        Whether to replace the file, and an unfinished training unless it is resumed.

    See Also
    --------
    skad.save : Write a fitted estimator.
    skad.training.checkpoint_in : Keep checkpoints of any training.

    Examples
    --------
    >>> import os, tempfile
    >>> from skad.datasets import make_phantom
    >>> from skad.methods import make_detector
    >>> from skad.persistence import ResumableFit
    >>> volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), random_state=0)
    >>> path = os.path.join(tempfile.mkdtemp(), "mixture.skad")
    >>> fit = ResumableFit(path, resume=True, overwrite=True)
    >>> if not fit.is_complete():
    ...     detector = make_detector("mixture", parameters={"preprocessor__size": (32, 32)})
    ...     _ = fit.fit(detector, volumes)
    >>> os.listdir(os.path.dirname(path))
    ['mixture.skad']
    """

    def __init__(self, path: PathLike, *, resume: bool = False, overwrite: bool = False) -> None:
        self.resume = resume
        self.overwrite = overwrite
        self.unfinished = Unfinished(path, ".checkpoints", "*.pt", what="training")

    def is_complete(self) -> bool:
        """Whether a training that is resumed had written its file; what it left is removed.

        Raises
        ------
        ValueError
            A file or an unfinished training is there that this one may not replace.
        """
        if self.resume and self.unfinished.is_complete():
            self.unfinished.remove()
            return True
        self.unfinished.check_free(resume=self.resume, overwrite=self.overwrite)
        return False

    def fit(
        self,
        detector: Any,
        volumes: Sequence[Volume],
        *,
        on_disk: bool = False,
        run: Mapping[str, Any] | None = None,
    ) -> Any:
        """Fit a detector and save it.

        Parameters
        ----------
        detector : VolumeAnomalyDetector
            Is fitted.
        volumes : list of Volume
        on_disk : bool, default=False
            Whether to keep the training slices in a file, for cohorts larger than memory.
        run : dict of str to object, default=None
            What makes the training what it is, in types that JSON has; a resumed training with another
            value is refused. None takes contrasts, subjects and the detector's parameters.

        Returns
        -------
        detector
            The same.

        Raises
        ------
        ValueError
            The unfinished training is another one, or as :meth:`VolumeAnomalyDetector.fit`.
        """
        folder = self.unfinished.folder
        with new_folder(folder), _reserved(folder, self.resume), _kept_if_begun(self.unfinished):
            _check_same_run(_run_of(detector, volumes) if run is None else run, folder / _RUN)
            with checkpoint_in(folder):
                detector.fit(volumes, out=folder / f"{rank()}-{_SLICES}" if on_disk else None)
            if is_main_process():
                save(detector, self.unfinished.out)
                self.unfinished.finish()
        return detector


@contextlib.contextmanager
def _reserved(folder: Path, resume: bool) -> Iterator[None]:
    """Keep the folder for this run, whose first process frees it of what killed or earlier runs left."""
    if not is_main_process():
        yield
        return
    with locked(folder):
        sweep(folder)
        if not resume:
            for path in (*folder.glob("*.pt"), folder / _RUN, *folder.glob(f"*{_SLICES}")):
                path.unlink(missing_ok=True)
        yield


@contextlib.contextmanager
def _kept_if_begun(unfinished: Unfinished) -> Iterator[None]:
    """Leave nothing in the folder that a resumed training could not use."""
    try:
        yield
    finally:
        (unfinished.folder / f"{rank()}-{_SLICES}").unlink(missing_ok=True)
        if not unfinished.has_begun:
            (unfinished.folder / _RUN).unlink(missing_ok=True)


def _run_of(detector, volumes):
    settings = ("n_jobs", "device", "verbose", "callbacks")
    parameters = {
        name: repr(value)
        for name, value in detector.get_params().items()
        if name.rpartition("__")[2] not in settings and not hasattr(value, "get_params")
    }
    of_volumes = {
        "contrasts": list(volumes[0].contrasts),
        "subjects": [volume.subject for volume in volumes],
    }
    return of_volumes | {name: value for name, value in parameters.items() if name != "pipeline__steps"}


def _check_same_run(run, path):
    """Remember what is being trained, or compare it with what was."""
    if not path.exists():
        write_json(run, path)
        return
    before = json.loads(path.read_text())
    for name, value in run.items():
        if before.get(name) != value:
            raise ValueError(
                f"{path.parent} belongs to a training with other {name.removeprefix('--')} "
                f"({_short(before.get(name))}, now {_short(value)}): resume with the same, "
                "or overwrite it (--overwrite)."
            )


def _short(value):
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + "..."
