"""A search for parameters that may be killed at any moment, and the fit of the best ones."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skad.composition import set_parameters
from skad.io import Volume
from skad.model_selection import PseudoAnomalyScorer, rank_configurations, slices_for_search
from skad.persistence.files import load
from skad.persistence.resumable import ResumableFit, Unfinished, check_free
from skad.utils.folders import new_folder
from skad.utils.locks import locked
from skad.utils.tables import write_table
from skad.utils.typing import PathLike

TABLE = "tune.csv"
_FITS = "fits"


class ResumableSearch:
    """Search the parameters of a detector and save the best one; an interrupted search can be resumed.

    Finished fits lie in a folder beside the file, which is removed when the file is written. The table of
    all configurations, ``tune.csv``, stays beside the file.

    Parameters
    ----------
    path : path-like
        The file of the detector, for example ``"best.skad"``.
    resume : bool, default=False
        Whether to continue an unfinished search.
    overwrite : bool, default=False
        Whether to replace the file, the table, and an unfinished search unless it is resumed.

    Attributes
    ----------
    table : pathlib.Path
        Path of the table.

    See Also
    --------
    skad.persistence.ResumableFit : Train one configuration.
    skad.model_selection.rank_configurations : The search alone.

    Examples
    --------
    >>> import os, tempfile
    >>> from skad.datasets import make_phantom
    >>> from skad.methods import make_detector
    >>> from skad.persistence import ResumableSearch
    >>> volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), random_state=0)
    >>> path = os.path.join(tempfile.mkdtemp(), "best.skad")
    >>> settings, grid = {"preprocessor__size": (32, 32)}, {"score__n_components": [1, 2]}
    >>> search = ResumableSearch(path, resume=True, overwrite=True)
    >>> if not search.is_complete():
    ...     rows = search.rank(make_detector("mixture", parameters=settings), volumes, grid, n_splits=2)
    ...     best = {name: rows[0][name] for name in grid}
    ...     _ = search.fit(make_detector("mixture", parameters=settings | best), volumes)
    >>> sorted(os.listdir(os.path.dirname(path)))
    ['best.skad', 'tune.csv']
    """

    def __init__(self, path: PathLike, *, resume: bool = False, overwrite: bool = False) -> None:
        self.resume = resume
        self.overwrite = overwrite
        self.table = Path(path).with_name(TABLE)
        self.unfinished = Unfinished(path, ".search", "output.pkl")
        self._training = ResumableFit(path, resume=resume or not overwrite, overwrite=overwrite or resume)

    def is_complete(self) -> bool:
        """Whether a search that is resumed had written its file; what it left is removed.

        Raises
        ------
        ValueError
            A file, a table or an unfinished search is there that this one may not replace.
        """
        if self.resume and self.unfinished.is_complete():
            self.unfinished.remove()
            return True
        parts = (self.unfinished, self._training.unfinished)
        overwrite = self.overwrite or (self.resume and any(part.has_begun for part in parts))
        for part in parts:
            part.check_free(resume=self.resume, overwrite=overwrite)
        check_free(self.table, overwrite=overwrite)
        return False

    def rank(
        self,
        detector: Any,
        volumes: Sequence[Volume],
        grid: Mapping[str, Sequence[Any]],
        *,
        scoring: PseudoAnomalyScorer | None = None,
        n_splits: int = 3,
        cache: PathLike | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> list[dict[str, Any]]:
        """Fit and score all configurations, and write their table.

        Parameters
        ----------
        detector : VolumeAnomalyDetector
            With a Pipeline and a preprocessor. It stays as it is.
        volumes : list of Volume
            Slices with a lesion are neither learned from nor scored.
        grid : dict of str to list
            Values of each parameter, named as in :func:`skad.methods.make_detector`.
        scoring : PseudoAnomalyScorer, default=None
            What a configuration is scored with. None is ``PseudoAnomalyScorer()``.
        n_splits : int, default=3
            Folds of the cross-validation.
        cache : path-like, default=None
            A folder that keeps the fits for other searches. None is a folder beside the file, which is
            removed by :meth:`fit`.
        n_jobs : int or None, default=None
            Fits that run at the same time. None leaves it to :func:`joblib.parallel_config`.
        verbose : int, default=0
            Messages of the search; 3 prints a line per fit.

        Returns
        -------
        list of dict
            As of :func:`skad.model_selection.rank_configurations`, best configuration first.

        Raises
        ------
        ValueError
            A parameter or a value of the grid is not allowed, found before anything is fitted; or every
            configuration failed.
        """
        for configuration in ParameterGrid(grid):
            set_parameters(clone(detector), configuration)
        parallel = {} if n_jobs in (None, 1) else {"n_jobs": n_jobs, "verbose": 10 * (verbose > 0)}
        with self._reserved() as folder, joblib.parallel_config(**parallel):
            if not self.resume:
                shutil.rmtree(folder / _FITS, ignore_errors=True)
            rows = rank_configurations(
                detector.pipeline,
                grid,
                *slices_for_search(clone(detector.preprocessor), volumes),
                scoring=scoring,
                n_splits=n_splits,
                memory=Path(cache or folder / _FITS).absolute(),
                verbose=verbose,
            )
            write_table(rows, self.table)
        return rows

    def fit(
        self,
        detector: Any,
        volumes: Sequence[Volume],
        *,
        on_disk: bool = False,
        run: Mapping[str, Any] | None = None,
    ) -> Any:
        """Fit a detector with the parameters that were chosen, save it, and end the search.

        Parameters
        ----------
        detector : VolumeAnomalyDetector
            Is fitted.
        volumes : list of Volume
        on_disk : bool, default=False
            As in :meth:`ResumableFit.fit`.
        run : dict of str to object, default=None
            As in :meth:`ResumableFit.fit`.

        Returns
        -------
        VolumeAnomalyDetector
            The fitted detector; read from the file where it had been saved when the search was killed.

        Raises
        ------
        ValueError
            As :meth:`ResumableFit.fit`.
        """
        with self._reserved():
            if self._training.is_complete():
                fitted = load(self.unfinished.out)
            else:
                fitted = self._training.fit(detector, volumes, on_disk=on_disk, run=run)
            self.unfinished.finish()
        return fitted

    @contextlib.contextmanager
    def _reserved(self) -> Iterator[Path]:
        """Keep the folder for this run, and leave none from which nothing can be resumed."""
        folder = self.unfinished.folder
        with new_folder(folder), locked(folder):
            try:
                yield folder
            finally:
                if not self.unfinished.has_begun:
                    shutil.rmtree(folder, ignore_errors=True)
