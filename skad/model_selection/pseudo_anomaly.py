"""Scores of a detector without a label: synthetic lesions in held-out normal slices."""

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import UNUSED

from skad.metrics import foreground_average_precision_score
from skad.metrics.groups import check_groups
from skad.model_selection.splitters import has_abnormal_pixel
from skad.synthetic import (
    Appearance,
    Blobs,
    Deformations,
    ForeignPatches,
    InSomeContrasts,
    Lesions,
    LostStructure,
)
from skad.training import seeded
from skad.utils.contrasts import with_bright_lesions
from skad.utils.typing import Array, FloatArray
from skad.utils.validation import foreground_of

FAMILIES = {
    "foreign_patches": ForeignPatches(reach=0.0),
    "blobs": InSomeContrasts(Blobs()),
    "deformations": Deformations(),
    "lost_structure": LostStructure(),
}
"""What is planted by default; every family draws radii log-uniformly."""

_COARSE = 4  # foregrounds are compared on every fourth pixel
_NEIGHBORS = 8  # without groups: as many slices before and after are taken to be the same patient's


class PseudoAnomalyScorer(BaseEstimator):
    """Score fitted detectors on synthetic lesions in normal slices, for searches without labels.

    It is what ``scoring=`` takes in `GridSearchCV` and `HalvingGridSearchCV`: a callable ``(estimator, X,
    y)``. Lesions lie in the images, so the estimator may be a whole Pipeline. With the same slices and
    `random_state` every candidate is scored on the same lesions.

    Parameters
    ----------
    families : mapping of str to objects with ``plant(images, foreground)``, default=None
        All equally frequent. None takes `FAMILIES`: tissue of another patient from the same position, blobs
        of shifted intensity and texture in some contrasts, deformations, blurred structure.
    metric : callable, default=foreground_average_precision_score
        ``metric(y_true, anomaly) -> float``, higher is better.
    per_family : bool, default=False
        False gives one number, of the families mixed. True gives a dict with "mixed" and each family on its
        own, which takes one scoring each; a search then needs ``refit="mixed"``.
    n_slices : int, default=256
        Most slices to plant into, evenly spaced over the normal ones.
    random_state : int or None, default=0
        None draws other lesions at every call, so that candidates are not compared on the same.

    See Also
    --------
    skad.synthetic.plant_families : Plants the lesions.
    skad.metrics.make_map_scorer : Scores with real labels.

    Notes
    -----
    `y` is used in one way only: slices with a labeled pixel are dropped. Real lesions are never scored.

    A detector that was trained on planted lesions, as `SyntheticAnomalyScorer` is, is flattered by the family
    it was trained on: compare it with others on the remaining ones.

    Pixels on the soft rim of a lesion, less than half of it, count neither way. (We)

    The other patient is told by `groups`. A search passes them on with
    ``sklearn.set_config(enable_metadata_routing=True)`` and
    ``scoring=PseudoAnomalyScorer().set_score_request(groups=True)``. Without groups the 8 slices before and
    after are taken to be the same patient's; the position is told by the overlap of the foregrounds. Where
    all slices are one patient's, patches come from another slice. (We)

    Examples
    --------
    >>> import numpy as np
    >>> from skad.model_selection import PseudoAnomalyScorer
    >>> from skad.scoring import IntensityScorer
    >>> X = np.random.default_rng(0).normal(size=(6, 2, 24, 20))
    >>> scorer = PseudoAnomalyScorer(per_family=True)
    >>> sorted(scorer(IntensityScorer().fit(X), X))
    ['blobs', 'deformations', 'foreign_patches', 'lost_structure', 'mixed']
    """

    __metadata_request__score = {"estimator": UNUSED}  # of score's arguments only groups is metadata
    _parameter_constraints = {
        "families": [Mapping, None],
        "metric": [callable],
        "per_family": ["boolean"],
        "n_slices": [Interval(Integral, 1, None, closed="left")],
        "random_state": [Integral, None],
    }

    def __init__(
        self,
        *,
        families=None,
        metric=foreground_average_precision_score,
        per_family=False,
        n_slices=256,
        random_state=0,
    ):
        self.families = families
        self.metric = metric
        self.per_family = per_family
        self.n_slices = n_slices
        self.random_state = random_state

    @classmethod
    def for_contrasts(cls, names: Sequence[str], **params: Any) -> Self:
        """The scorer for contrasts of these names.

        Lesions are bright on FLAIR and T2 and do not show in other contrasts. Without such a contrast the
        lesions are those of `FAMILIES`.

        Parameters
        ----------
        names : sequence of str
            Of the contrasts, in the order of the images, such as ``volume.contrasts``.
        **params
            Other parameters.

        Returns
        -------
        PseudoAnomalyScorer

        Examples
        --------
        >>> from skad.model_selection import PseudoAnomalyScorer
        >>> list(PseudoAnomalyScorer.for_contrasts(["T1w", "FLAIR"]).families)
        ['bright_lesions']
        """
        bright = with_bright_lesions(names)
        if not bright:
            return cls(**params)
        lesions = Lesions(appearance=Appearance(signs=(1,) * len(bright), sign_share=1.0))
        return cls(families={"bright_lesions": InSomeContrasts(lesions, contrasts=bright)}, **params)

    def __call__(self, estimator, X, y=None, **params):
        """Do what `score` does."""
        return self.score(estimator, X, y, **params)

    def score(
        self, estimator: Any, X: Array, y: Array | None = None, groups: Array | None = None
    ) -> float | dict[str, float]:
        """Score a fitted detector.

        Parameters
        ----------
        estimator : estimator with ``score_samples`` on slices
        X : array-like of shape (n_samples, n_contrasts, height, width)
        y : array-like of int, shape (n_samples, height, width) or (n_samples,), default=None
            Slices with a label other than 0 are dropped.
        groups : array-like of shape (n_samples,), default=None
            Patient of each slice.

        Returns
        -------
        float, or dict of str to float if `per_family`
        """
        scores = {
            name: float(self.metric(*_judged(mask, -estimator.score_samples(planted))))
            for name, planted, mask in self.plant(X, y, groups)
        }
        return scores if self.per_family else scores["mixed"]

    def plant(
        self, X: Array, y: Array | None = None, groups: Array | None = None
    ) -> Iterator[tuple[str, FloatArray, FloatArray]]:
        """Yield the slices that detectors are scored on, "mixed" first.

        Yields
        ------
        name : str
        planted : float32 ndarray of shape (n, n_contrasts, height, width)
        mask : float32 ndarray of shape (n, height, width)
            1 lesion, 0 normal, between on the rim.

        Raises
        ------
        ValueError
            There is no slice without a label, or "mixed" names a family.
        """
        self._validate_params()
        families = FAMILIES if self.families is None else dict(self.families)
        if not families or "mixed" in families:
            raise ValueError(f'families should name at least one, none of them "mixed", got {families}.')
        images, donors = _with_donors(X, y, groups, self.n_slices, self.random_state)
        plans = {"mixed": list(families.values())}
        if self.per_family:
            plans |= {name: [family] for name, family in families.items()}
        for name, plan in plans.items():
            with seeded(self.random_state) as rng:
                order = rng.permutation(len(images)) % len(plan)
                yield name, *_plant_each([plan[i] for i in order], images, donors)


def _with_donors(X, y, groups, n_slices, random_state):
    """Normal slices with foreground and, for each, one of another patient from the same position."""
    foreground = np.concatenate([foreground_of(np.asarray(X[i : i + 1])) for i in range(len(X))])
    usable = foreground.any(axis=(1, 2))
    if y is not None:
        usable &= ~has_abnormal_pixel(y)
    if not usable.any():
        raise ValueError(
            f"X should hold a normal slice to plant lesions into, got none in {len(X)}: add normal slices."
        )
    normal = np.flatnonzero(usable)
    chosen = normal[np.linspace(0, len(normal) - 1, min(n_slices, len(normal))).round().astype(int)]
    own = _same_patient(chosen, normal, None if groups is None else check_groups(groups, len(X)))
    itself = chosen[:, None] == normal
    overlap = _overlap(foreground[chosen], foreground[normal])
    with seeded(random_state) as rng:
        ties = 1e-6 * rng.random(overlap.shape)
    donors = normal[(overlap + ties - 2 * own - 2 * itself).argmax(axis=1)]  # itself as a last resort
    return (np.asarray(X[rows], dtype=np.float32) for rows in (chosen, donors))


def _same_patient(rows, others, groups):
    if groups is None:
        return abs(rows[:, None] - others) <= _NEIGHBORS
    return groups[rows][:, None] == groups[others]


def _overlap(a, b):
    """Intersection over union of every foreground of a with every one of b, shape (len(a), len(b))."""
    a, b = (each[:, ::_COARSE, ::_COARSE].reshape(len(each), -1).astype(np.float32) for each in (a, b))
    both = a @ b.T
    return both / np.maximum(a.sum(axis=1)[:, None] + b.sum(axis=1) - both, 1)


def _plant_each(plan, images, donors):
    """Plant a family into each slice; its donor is the other slice of a batch of two."""
    darkest = np.nan_to_num(np.fmin.reduce(images, axis=(0, 2, 3)))[:, None, None]
    planted, masks = np.empty_like(images), np.empty((len(images), *images.shape[2:]), dtype=np.float32)
    for i, family in enumerate(plan):
        pair = np.stack([images[i], donors[i]])
        foreground = torch.from_numpy(foreground_of(pair)[:, None])
        filled = torch.from_numpy(np.where(np.isnan(pair), darkest, pair))
        lesion, mask = family.plant(filled, foreground)
        planted[i] = np.where(np.isnan(images[i]), np.float32(np.nan), lesion[0].numpy())
        masks[i] = mask[0, 0].numpy()
    return planted, masks


def _judged(mask, anomaly):
    """Labels and map, without the pixels that are less than half lesion."""
    rim = (mask > 0) & (mask < 0.5)
    return (mask >= 0.5).astype(np.int8), np.where(rim, np.nan, anomaly)
