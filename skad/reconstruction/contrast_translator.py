"""Contrast-to-contrast translation: every contrast predicted from the others (A, 2.2.1)."""

from numbers import Integral
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skad.augmentation import Augmentation
from skad.base import ReconstructorMixin, has_neighbors, observed_images
from skad.nn.background import foreground_mean, foreground_median
from skad.nn.translation import NORMALIZATIONS, TranslationNetwork
from skad.training import TRAINING_CONSTRAINTS, Training, describe_training, map_slices, seeded, start_module
from skad.utils.typing import Array
from skad.utils.validation import foreground_of, missing_contrasts


def translation_loss(network, images, foreground):
    """Mean squared error of all translations over the foreground (A, eq. 13).

    Parameters
    ----------
    network : TranslationNetwork
    images : Tensor of shape (n, n_contrasts, height, width)
        Or slices with their neighbors (n, 3, n_contrasts, height, width): the loss is that of the slices.
    foreground : bool Tensor of shape (n, 1, height, width)

    Returns
    -------
    dict with "loss", a scalar Tensor, in squared units of the images
    """
    observed = observed_images(images)
    translated = network.translate_all(images, foreground_median(observed, foreground)).float()
    return {"loss": foreground_mean((translated - observed).square(), foreground)}


@describe_training
class ContrastTranslator(ReconstructorMixin, BaseEstimator):
    """Reference: each contrast is translated from the other contrasts by one network.

    The target contrast is replaced by an image filled with its median, which tells the network what to
    produce and how bright; a lesion that shows differently in the contrasts is not reproduced. Fitted on
    slices with the ones below and above them, the network looks at the other contrasts of all three.

    Parameters
    ----------
    width : int, default=32
        Feature maps of the first layer; 2 and 4 times as many follow (A: as Johnson et al. 2016).
    n_blocks : int, default=5
        Residual blocks.
    normalization : {"batch", "instance"}, default="batch"
        Of the feature maps; instance normalization loses the brightness that the median tells (We; see
        :class:`skad.nn.translation.TranslationNetwork`).
    augmentation : Augmentation or None, default=None
        Random views of the training slices. A uses flip, translation, crop and intensity scaling without
        saying how much; see :class:`skad.augmentation.Augmentation`.
    max_epochs : int, default=50
        A: 50 (BraTS), 200 (ISLES).
    batch_size : int, default=8
        Slices per step; each gives one translation per contrast. (We)
    lr : float, default=1e-3
        Learning rate of Adam. (We, as Johnson et al.)
    {device}
    {precision}
    {random_state}
    {verbose}
    {callbacks}
    {warm_start}

    Attributes
    ----------
    module_ : TranslationNetwork
        On the CPU.
    loss_curve_ : list of float
        Mean training loss (eq. 13) of every epoch.
    medians_ : ndarray of shape (n_contrasts,)
        Median of the training slices' medians: stands in for the median of a missing contrast.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    skad.scoring.JointDRGMM : The density that makes ADM of it.
    skad.scoring.ResidualScorer : Scores the residuals directly.

    Notes
    -----
    We: medians and losses are over the foreground; all C targets of a batch pass through the network
    together. A contrast missing at score time (NaN over a whole slice) is first translated from the
    others, with ``medians_`` as its brightness, and then used like an observed one, in the place of its
    neighbors as well. A slice that is given without neighbors to a network that was fitted with them is its
    own neighbor; a network that was fitted without looks at the slice alone.

    References
    ----------
    Kim et al., Medical Physics 48 (2021), eqs. (1)-(5), (13). Johnson, Alahi, Fei-Fei, ECCV 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import ContrastTranslator
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 16)).astype("float32")
    >>> ContrastTranslator(width=4, n_blocks=1, max_epochs=1, random_state=0).fit(X).transform(X).shape
    (4, 2, 2, 12, 16)
    """

    _accepts = "neighbors"
    _missing_contrast = True
    _parameter_constraints = {
        "width": [Interval(Integral, 1, None, closed="left")],
        "n_blocks": [Interval(Integral, 0, None, closed="left")],
        "normalization": [StrOptions(set(NORMALIZATIONS))],
        "augmentation": [Augmentation, None],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        width=32,
        n_blocks=5,
        normalization="batch",
        augmentation=None,
        max_epochs=50,
        batch_size=8,
        lr=1e-3,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.width = width
        self.n_blocks = n_blocks
        self.normalization = normalization
        self.augmentation = augmentation
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Learn to translate between the contrasts of normal slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            At least two contrasts; NaN background. Or slices with their neighbors (n_samples, 3,
            n_contrasts, height, width).
        y : ignored

        Returns
        -------
        self
        """
        X = self._check_fit_input(X)
        if self.n_contrasts_in_ < 2:
            raise ValueError("ContrastTranslator translates between contrasts and needs at least 2, got 1.")
        self.medians_ = np.nanmedian(
            [np.nanmedian(x, axis=(1, 2)) for x in observed_images(X) if not np.isnan(x).all()], axis=0
        )
        with seeded(self.random_state):
            module = start_module(self, self._network(X))
            curves = Training.of(self).fit(module, X, translation_loss, background=self.background_)
        self.module_, self.loss_curve_ = module, curves["loss"]
        return self

    def _network(self, X):
        return TranslationNetwork(
            self.n_contrasts_in_,
            width=self.width,
            n_blocks=self.n_blocks,
            normalization=self.normalization,
            neighbors=has_neighbors(X),
        )

    def _reconstruct(self, X):
        reference = self._translate(X)
        rows = missing_contrasts(observed_images(X)).any(axis=1)
        if rows.any():
            reference[rows] = self._translate(self._impute(X[rows]))
        return reference

    def _impute(self, X):
        """Fill missing contrasts with their translation from the others."""
        absent = np.isnan(X) & _of_slices(foreground_of(observed_images(X))[:, None], X)
        flat = np.where(absent, self.medians_[:, None, None], X).astype(np.float32)
        return np.where(absent, _of_slices(self._translate(flat), X), flat)

    def _translate(self, X):
        return map_slices(self, self._network_map, X)

    def _network_map(self, images, foreground):
        medians = foreground_median(observed_images(images), foreground)
        return self.module_.translate_all(images, medians)


def _of_slices(maps, X):
    """Maps of slices, with an axis for their neighbors where X has one."""
    return maps if X.ndim == 4 else maps[:, None]
