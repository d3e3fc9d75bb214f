"""Density of an autoencoder's latent features and errors, learned jointly (Zong et al. 2018)."""

from numbers import Integral, Real
from typing import Self

import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval

from skad.augmentation import Augmentation
from skad.base import PixelScorerMixin
from skad.mixture import (
    energy,
    energy_map,
    foreground_pixels,
    mixture_moments,
    singularity_penalty,
    stream_mixture,
)
from skad.nn.background import foreground_mean
from skad.nn.dagmm import DAGMMNetwork
from skad.training import (
    TRAINING_CONSTRAINTS,
    Training,
    describe_training,
    map_slices,
    merged,
    own_share,
    seeded,
    start_module,
    visit_slices,
)
from skad.utils.typing import Array


def dagmm_loss(network, images, foreground, *, energy_weight, penalty_weight, reg_covar):
    """Reconstruction error, weighted mean energy and weighted inverse variances (Zong et al., eq. 7).

    Parameters
    ----------
    network : DAGMMNetwork
    images : Tensor of shape (n, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    energy_weight, penalty_weight : float
        lambda_1 and lambda_2.
    reg_covar : float
        Added to the variances.

    Returns
    -------
    dict of scalar Tensors: "loss", "reconstruction", "energy", "penalty"
    """
    maps, reconstruction = network(images)
    features = foreground_pixels(maps, foreground)
    weights, means, covariances = mixture_moments(features, network.responsibilities(features))
    covariances = add_to_variances(covariances, reg_covar)
    losses = {
        "reconstruction": foreground_mean((reconstruction - images).square(), foreground) * images.shape[1],
        "energy": energy(features, weights, means, covariances).mean(),
        "penalty": singularity_penalty(covariances),
    }
    total = losses["reconstruction"] + energy_weight * losses["energy"] + penalty_weight * losses["penalty"]
    return {"loss": total, **losses}


def add_to_variances(covariances, value):
    """Covariances (K, F, F) with ``value`` added to their diagonals."""
    return covariances + value * torch.eye(covariances.shape[-1]).to(covariances)


@describe_training
class DAGMMScorer(PixelScorerMixin, BaseEstimator):
    """Scorer: negative energy of latent features and reconstruction errors under a Gaussian mixture.

    Takes images. The deep autoencoding Gaussian mixture model: DAG of A, and DAG_c with ``convolutional``.

    Parameters
    ----------
    convolutional : bool, default=False
        Whether the autoencoder sees a pixel's surroundings (3x3 convolutions, DAG_c) or its contrasts only
        (1x1, DAG).
    n_components : int, default=4
        Gaussians of the mixture (Zong et al., KDDCUP).
    n_features : int, default=2
        Latent features of a pixel. (We; Zong et al. take 1 or 2)
    width : int, default=16
        Feature maps of the hidden layers. (We)
    dropout : float, default=0.5
        Of the estimation network (Zong et al.).
    energy_weight : float, default=0.1
        lambda_1 (Zong et al.).
    penalty_weight : float, default=0.005
        lambda_2 of the sum of inverse variances (Zong et al.).
    reg_covar : float, default=1e-6
        Added to the variances. (We: as in scikit-learn. With 0, the published objective, training stops with
        an error where a covariance becomes singular: A, Fig. 8.)
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.
    augmentation : Augmentation or None, default=None
        Random views of the training slices.
    max_epochs : int, default=50
        (We)
    batch_size : int, default=16
        (We)
    lr : float, default=1e-3
        (We; Zong et al. take 1e-4 and train for 10,000 steps and more)
    {device}
    {precision}
    {random_state}
    {verbose}
    {callbacks}
    {warm_start}

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    means_ : ndarray of shape (n_components, n_features + 2)
    covariances_ : ndarray of shape (n_components, n_features + 2, n_features + 2)
        Final mixture, float64, estimated from all training pixels in one streaming pass.
    module_ : DAGMMNetwork
    loss_curve_ : list of float
        Mean of the objective in every epoch.
    history_ : dict of str to list of float
        "loss", "reconstruction", "energy" and "penalty" of every epoch.
    offset_ : float
        Threshold of ``predict``: the ``contamination`` quantile of the training scores.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    Raises
    ------
    SingularCovarianceError
        In ``fit``, when a covariance is singular in spite of ``reg_covar``.

    See Also
    --------
    JointDRGMM : The density of ADM.

    Notes
    -----
    The features are the latent ones, the relative Euclidean distance and the cosine similarity between a
    pixel's contrasts and their reconstruction. (We) Both are measured from the darkest training intensities,
    ``background_``, since z-scored intensities are near zero in the middle of the brain, where no direction
    and no ratio is stable. Leaky rectifiers take the place of tanh in the autoencoder.

    References
    ----------
    Zong et al., "Deep autoencoding Gaussian mixture model for unsupervised anomaly detection", ICLR 2018.
    (A, 2.5).

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import DAGMMScorer
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 16)).astype("float32")
    >>> DAGMMScorer(n_components=2, width=4, max_epochs=1, random_state=0).fit(X).means_.shape
    (2, 4)
    """

    _accepts = "images"
    _parameter_constraints = {
        "convolutional": ["boolean"],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "width": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "energy_weight": [Interval(Real, 0, None, closed="left")],
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
        "augmentation": [Augmentation, None],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        convolutional=False,
        n_components=4,
        n_features=2,
        width=16,
        dropout=0.5,
        energy_weight=0.1,
        penalty_weight=0.005,
        reg_covar=1e-6,
        contamination=0.01,
        augmentation=None,
        max_epochs=50,
        batch_size=16,
        lr=1e-3,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.convolutional = convolutional
        self.n_components = n_components
        self.n_features = n_features
        self.width = width
        self.dropout = dropout
        self.energy_weight = energy_weight
        self.penalty_weight = penalty_weight
        self.reg_covar = reg_covar
        self.contamination = contamination
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
        """Fit autoencoder and density on normal slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.
        y : ignored

        Returns
        -------
        self
        """
        X = self._check_fit_input(X)
        with seeded(self.random_state):
            network = start_module(self, self._network())
            self.history_ = Training.of(self).fit(network, X, self._loss, background=self.background_)
        self.module_, self.loss_curve_ = network, self.history_["loss"]
        self.weights_, self.means_, self.covariances_ = self._final_mixture(X)
        return self._fit_offset(X)

    def _network(self):
        network = DAGMMNetwork(
            self.n_contrasts_in_,
            self.n_features,
            self.n_components,
            width=self.width,
            dropout=self.dropout,
            convolutional=self.convolutional,
        )
        network.origin.copy_(torch.from_numpy(self.background_))
        return network

    def _loss(self, network, images, foreground):
        return dagmm_loss(
            network,
            images,
            foreground,
            energy_weight=self.energy_weight,
            penalty_weight=self.penalty_weight,
            reg_covar=self.reg_covar,
        )

    def _final_mixture(self, X):
        """Parameters from all foreground pixels of X, float64 arrays."""

        def assign(images, foreground):
            features = foreground_pixels(self.module_(images)[0], foreground)
            return features, self.module_.responsibilities(features)

        batches = (batch for _, batch in visit_slices(self, assign, own_share(X)))
        weights, means, covariances = stream_mixture(
            batches, self.n_components, self.module_.n_density_features, merge=merged
        )
        return weights.numpy(), means.numpy(), add_to_variances(covariances, self.reg_covar).numpy()

    def _score(self, X):
        def scores(images, foreground):
            mixture = (
                torch.as_tensor(p, device=images.device)
                for p in (self.weights_, self.means_, self.covariances_)
            )
            return -energy_map(self.module_(images)[0], foreground, *mixture)

        return map_slices(self, scores, X)

    def _features(self, X):
        return map_slices(self, lambda images, _: self.module_(images)[0], X)
