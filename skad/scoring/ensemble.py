"""Several scorers as one: Fisher's combination of the p-values of a pixel among normal ones."""

from itertools import chain, pairwise
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import _BaseComposition

from skad.base import (
    PixelScorerMixin,
    has_neighbors,
    normal_sample,
    observed_images,
    takes_neighbors,
    takes_pairs,
)
from skad.postprocessing import fill_holes
from skad.utils.out_of_core import take_slices
from skad.utils.typing import Array
from skad.utils.validation import rows_with_foreground

_RAREST = 1e-4  # p-values below this are extrapolated
_N_KNOTS = 65
_NEIGHBORS = 8  # slices on each side of a border between folds that may be of one patient


class EnsembleScorer(PixelScorerMixin, _BaseComposition, BaseEstimator):
    r"""Scorer: weighted sum of the log p-values of several scorers.

    The score is :math:`\sum_k w_k \log p_k`, where :math:`p_k` is the share of the training foreground that
    scorer k finds at least as abnormal. The scorers' units cancel, and one scorer with a very small p-value
    outweighs several with large ones.

    With `cv` the p-values are cross-fitted: every scorer is fitted once without each fold, calibrated on the
    slices of the fold that it has not seen, and :math:`\log p_k` is the mean over these fits.

    Parameters
    ----------
    scorers : list of (str, scorer)
        Names and unfitted scorers; clones are fitted. A fitted one wrapped in
        :class:`sklearn.frozen.FrozenEstimator` is used as it is. Scorers that take images only are given the
        images of pairs, and slices without their neighbors.
    weights : sequence of float or None, default=None
        Of the scorers, relative to each other; None weights all equally.
    cv : int or None, default=None
        Number of folds, blocks of consecutive slices; a scorer with ``random_state`` gets another one in each
        fold, drawn from its own. None fits each scorer once, to all slices, and calibrates it on them.
    fill_holes : bool, default=False
        Give pixels that a more abnormal rim encloses the score of that rim, see
        :func:`skad.postprocessing.fill_holes`: for lesions with a core that looks more normal.
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.

    Attributes
    ----------
    scorers_ : list of fitted scorers
        With `cv` those fitted without the first fold, then those fitted without the second, ...
    knots_ : ndarray of shape (n_fits, n_knots)
        Abnormality of each of `scorers_` where :math:`-\log p` is 0 ... 9.2, in growing steps.
    tail_ : ndarray of shape (n_fits,)
        Mean excess over the last knot.
    offset_ : float
        Scores below it are abnormal.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    skad.scoring.make_lesion_ensemble : The ensemble of the command ``skad fit --method ensemble``.
    skad.scoring.ConditionalMixtureScorer : One of its usual members.

    Notes
    -----
    We. Beyond one normal pixel in 10,000 there are too few to count: from there on the tail is taken as
    exponential, :math:`-\log p` rising by 1 per mean excess. The sum is a ranking and no p-value itself:
    scorers of one pixel are not independent, and pixels they have learned from look more normal to a network
    than those of new patients, so that networks weigh more than scorers that learn little. Parameters of
    members are reached by name, as in :class:`sklearn.ensemble.VotingRegressor`.

    References
    ----------
    Fisher, Statistical Methods for Research Workers, 4th edition 1932, section 21.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import EnsembleScorer, IntensityScorer
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 16)).astype("float32")
    >>> members = [(f"contrast{i}", IntensityScorer(contrast=i)) for i in range(2)]
    >>> EnsembleScorer(members).fit(X).score_samples(X).shape
    (4, 12, 16)
    """

    _accepts = "series"
    _parameter_constraints = {
        "scorers": [list, tuple],
        "weights": ["array-like", None],
        "cv": [Interval(Integral, 2, None, closed="left"), None],
        "fill_holes": ["boolean"],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
    }

    def __init__(self, scorers, *, weights=None, cv=None, fill_holes=False, contamination=0.01):
        self.scorers = scorers
        self.weights = weights
        self.cv = cv
        self.fill_holes = fill_holes
        self.contamination = contamination

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the ensemble and, with ``deep``, of its members by name."""
        return self._get_params("scorers", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the ensemble, of its members (``name__parameter``), or a member (``name``)."""
        return self._set_params("scorers", **params)

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Fit clones of every scorer on the same normal slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            Normal slices, pairs (n_samples, 2, n_contrasts, height, width) from a reconstructor, or slices
            with their neighbors (n_samples, 3, n_contrasts, height, width). NaN background.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            No scorer, names that are no names or not unique, or not one weight for each.
        """
        self._check_members()
        X = self._check_fit_input(X)
        fits = [self._fit_fold(X, y, number, *fold) for number, fold in enumerate(self._folds(X))]
        scorers, knots, tails, normality = zip(*fits, strict=True)
        self.scorers_ = list(chain.from_iterable(scorers))
        self.knots_, self.tail_ = np.concatenate(knots), np.concatenate(tails)
        return self._set_offset(np.concatenate([each.ravel() for each in normality]))

    def _folds(self, X):
        """Slices to fit to, and slices to calibrate on, for each fold."""
        if self.cv is None:
            return [(slice(None), slice(None))]
        visible = rows_with_foreground(X)
        if len(visible) < self.cv:
            raise ValueError(
                f"cv={self.cv} needs at least as many slices with foreground, got {len(visible)}."
            )
        return _blocks(visible, self.cv)

    def _fit_fold(self, X, y, number, seen, unseen):
        """Fit to some slices and calibrate on others: fits, knots, tails, and normality of the others."""
        training, held_out = take_slices(X, seen), normal_sample(take_slices(X, unseen))
        fits = [_variant(each, number).fit(_seen_by(each, training), y) for _, each in self.scorers]
        maps = [_map(each, held_out) for each in fits]
        knots, tails = (np.array(parts) for parts in zip(*map(_tail, maps), strict=True))
        return fits, knots, tails, self._combined(maps, knots, tails)

    def _scores_as_new(self, X):
        """Scores of training slices, with `cv` by the fits that have not seen them."""
        if self.cv is None:
            return super()._scores_as_new(X)
        found = []
        for number, (_, unseen) in enumerate(self._folds(X)):
            of_fold = slice(number * len(self.scorers), (number + 1) * len(self.scorers))
            held_out = normal_sample(take_slices(X, unseen))
            maps = [_map(each, held_out) for each in self.scorers_[of_fold]]
            found.append(self._combined(maps, self.knots_[of_fold], self.tail_[of_fold]))
        return np.concatenate(found)

    def _combined(self, maps, knots, tails):
        """Score of the maps of one fit of every scorer."""
        log_p = [_log_p(*each) for each in zip(maps, knots, tails, strict=True)]
        return self._combine(np.stack(log_p, axis=1))

    def _check_members(self):
        if not self.scorers:
            raise ValueError("scorers should hold at least one (name, scorer), got none.")
        if not all(isinstance(each, list | tuple) and len(each) == 2 for each in self.scorers):
            raise ValueError(
                "scorers should be a list of (name, scorer), as in "
                f"EnsembleScorer([('intensity', IntensityScorer())]), got {self.scorers!r}."
            )
        names, scorers = zip(*self.scorers, strict=True)
        self._validate_names(names)
        for scorer in scorers:
            if not hasattr(scorer, "score_samples"):
                raise ValueError(f"scorers should be scorers of skad, got {scorer!r}.")
        if self.weights is not None and len(self.weights) != len(names):
            raise ValueError(f"weights should be one for each of {len(names)} scorers, got {self.weights}.")

    def _score(self, X):
        return self._combine(self._features(X))

    def _features(self, X):
        return self._log_p(X)

    def _log_p(self, X):
        """Of every scorer, the mean over its fits."""
        fits = zip(self.scorers_, self.knots_, self.tail_, strict=True)
        log_p = np.stack([_log_p(_map(fitted, X), knots, tail) for fitted, knots, tail in fits], axis=1)
        return log_p.reshape(len(X), -1, len(self.scorers), *log_p.shape[2:]).mean(axis=1)

    def _combine(self, log_p):
        score = np.average(log_p, axis=1, weights=self.weights)
        return -fill_holes(-score) if self.fill_holes else score


def _seen_by(scorer, X):
    """Pairs, or neighbors, for a scorer that takes them, else the images."""
    takes = takes_neighbors if has_neighbors(X) else takes_pairs
    return X if takes(scorer) else observed_images(X)


def _map(scorer, X):
    """How abnormal a fitted scorer finds every pixel, in its own units."""
    return -scorer.score_samples(_seen_by(scorer, X))


def _variant(scorer, number):
    """An unfitted copy, whose seed is another one in every fold."""
    copy = clone(scorer)
    seeds = {
        name: value + number
        for name, value in copy.get_params().items()
        if name.rpartition("__")[2] == "random_state" and isinstance(value, Integral)
    }
    return copy.set_params(**seeds) if seeds else copy


def _blocks(rows, n_blocks):
    """For each block of consecutive rows, all others, and the block without what is near another one."""
    borders = np.linspace(0, len(rows), n_blocks + 1).round().astype(int)
    folds = []
    for start, stop in pairwise(borders):
        inner = slice(start + _NEIGHBORS * (start > 0), stop - _NEIGHBORS * (stop < len(rows)))
        unseen = rows[inner] if len(rows[inner]) else rows[start:stop]
        folds.append((np.r_[rows[:start], rows[stop:]], unseen))
    return folds


def _levels():
    """-log p of the knots: dense where normal pixels are, every 0.3 at the rarest."""
    return -np.log(_RAREST) * np.linspace(0, 1, _N_KNOTS) ** 2


def _tail(abnormality):
    """Knots and mean excess of a normal map."""
    abnormality = abnormality[~np.isnan(abnormality)]
    quantiles = np.quantile(abnormality, 1 - np.exp(-_levels()))
    excess = abnormality[abnormality > quantiles[-1]] - quantiles[-1]
    return quantiles, excess.mean() if len(excess) else np.inf


def _log_p(abnormality, knots, tail):
    """Logarithm of the share of normal pixels that are at least as abnormal; NaN where there is no pixel."""
    beyond = np.maximum(abnormality - knots[-1], 0) / tail
    return -(np.interp(abnormality, knots, _levels()) + beyond).astype(np.float32)
