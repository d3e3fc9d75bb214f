"""Density of translation residuals and learned features, fitted jointly (A, 2.2.2-2.3): the scorer of ADM."""

from numbers import Integral, Real
from typing import Self

import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skad.augmentation import Augmentation
from skad.base import PixelScorerMixin
from skad.mixture import (
    energy,
    energy_map,
    floor_eigenvalues,
    foreground_pixels,
    log_responsibilities,
    mixture_moments,
    require_nonsingular,
    singularity_penalty,
    stream_mixture,
)
from skad.nn.background import foreground_mean
from skad.nn.joint_density import JointDensityNetwork
from skad.training import (
    TRAINING_CONSTRAINTS,
    Training,
    describe_training,
    map_slices,
    merged,
    own_share,
    resolve_device,
    seeded,
    start_module,
    visit_slices,
)
from skad.utils.typing import Array
from skad.utils.validation import missing_contrasts, with_missing_from_reference

PENALTY_WEIGHT = 1e-5  # lambda_p (A, 2.7)


def joint_loss(network, images, foreground, *, energy_weight, covariance, penalty_weight=0.0):
    """Reconstruction of the images from the learned features plus weighted mean energy (A, eq. 14).

    Parameters
    ----------
    network : JointDensityNetwork
    images : Tensor of shape (n, n_contrasts, height, width) or pairs (n, 2, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    energy_weight : float
        lambda.
    covariance : callable
        What is done to the covariances (K, F, F) before the energy: the eigenvalue floor, or nothing.
    penalty_weight : float
        Weight of the sum of inverse diagonals (A, 2.7).

    Returns
    -------
    dict of scalar Tensors: "loss", "reconstruction", "energy"
    """
    maps, reconstruction, surprise = network(images, foreground)
    features = foreground_pixels(maps, foreground)
    weights, means, covariances = mixture_moments(features, network.responsibilities(features))
    mean_energy = energy(features, weights, means, covariance(covariances)).mean()
    observed = images if images.dim() == 4 else images[:, 0]
    error = (
        images.new_zeros(())
        if reconstruction is None
        else foreground_mean((reconstruction - observed).square(), foreground)
    )
    error = error * observed.shape[1]
    loss = error + energy_weight * mean_energy
    if surprise is not None:
        loss = loss + foreground_mean(surprise, foreground)
    if penalty_weight:
        loss = loss + penalty_weight * singularity_penalty(covariances)
    return {"loss": loss, "reconstruction": error, "energy": mean_energy}


@describe_training
class JointDRGMM(PixelScorerMixin, BaseEstimator):
    """Scorer: negative energy of a pixel under a Gaussian mixture of residuals and learned features.

    With :class:`skad.reconstruction.ContrastTranslator` before it this is ADM; the variants of its ablation
    are parameters.

    Parameters
    ----------
    n_components : int, default=6
        Gaussians of the mixture (A).
    n_features : int, default=3
        Learned feature maps Z_dr (A).
    width : int, default=16
        Feature maps of the hidden layers of G_dr and of the responsibility network. (We)
    energy_weight : float, default=5e-4
        lambda of eq. (14): 5e-4 for BraTS, 5e-3 for ISLES (A).
    eigenvalue_floor : float, default=1e-6
        epsilon of eq. (10) (A).
    features : {"both", "residual", "latent"}, default="both"
        ADM, ADM_ct, ADM_dr. Images without a reference (4-D input) mean "latent".
    residual : {"absolute", "signed"}, default="absolute"
        ``|X - X_ct|`` (A, eq. 5) or ``X - X_ct``. (We: a bright lesion and a dark mistake differ in sign.)
    scale_residual : bool, default=False
        Divide each residual by the standard deviation that a small network, trained along by maximum
        likelihood, expects from the reference around the pixel: edges and vessels are hard to translate
        even where all is normal. (We)
    joint : bool, default=True
        False trains features and mixture separately: ADM_woj.
    singularity : {"floor", "none", "penalty"}, default="floor"
        What keeps covariances regular: the floor of eqs. (10)-(11), nothing, or the sum of inverse diagonals
        (A, 2.7).
    smoothing : float, default=0.0
        Gaussian smoothing of the signed residuals inside the foreground before the density sees them, pixels.
        (We)
    n_em_steps : int, default=0
        Steps of expectation maximization over all training pixels after the final mixture was estimated from
        the responsibility network; each lowers the training energy. 0 is A's. (We: the responsibilities that
        the network learned need not be those of the mixture.)
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.
    augmentation : Augmentation or None, default=None
        Random views of the training slices.
    max_epochs : int, default=50
        Passes over the training slices; A: 50 (BraTS), 200 (ISLES).
    batch_size : int, default=16
        Slices per step. (We)
    lr : float, default=1e-3
        Learning rate of Adam. (We)
    {device}
    {precision}
    {random_state}
    {verbose}
    {callbacks}
    {warm_start}

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
    means_ : ndarray of shape (n_components, F)
    covariances_ : ndarray of shape (n_components, F, F)
        Final mixture, float64, estimated from all training pixels in one streaming pass; F features: the C
        residuals, then the learned ones.
    module_ : JointDensityNetwork
    loss_curve_ : list of float
        Mean of eq. (14) of every epoch.
    history_ : dict of str to list of float
        "loss", "reconstruction" and "energy" of every epoch.
    offset_ : float
        Threshold of ``predict``: the ``contamination`` quantile of the training scores.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    Raises
    ------
    SingularCovarianceError
        In ``fit``, when a covariance is singular and ``singularity`` is "none" or "penalty".

    See Also
    --------
    skad.reconstruction.ContrastTranslator : The references of ADM.
    ConditionalMixtureScorer : ADM's idea in closed form.
    DAGMMScorer : Joint density of an autoencoder's features.

    Notes
    -----
    A missing contrast counts as zero residual and enters the learned features through its reference.

    References
    ----------
    Kim et al., Medical Physics 48 (2021), eqs. (5)-(14).

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import JointDRGMM
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 16)).astype("float32")
    >>> JointDRGMM(n_components=2, width=4, max_epochs=1, random_state=0).fit(X).score_samples(X).shape
    (4, 12, 16)
    """

    _missing_contrast = True
    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "width": [Interval(Integral, 1, None, closed="left")],
        "energy_weight": [Interval(Real, 0, None, closed="left")],
        "eigenvalue_floor": [Interval(Real, 0, None, closed="neither")],
        "features": [StrOptions({"both", "residual", "latent"})],
        "residual": [StrOptions({"absolute", "signed"})],
        "scale_residual": ["boolean"],
        "joint": ["boolean"],
        "singularity": [StrOptions({"floor", "none", "penalty"})],
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "n_em_steps": [Interval(Integral, 0, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
        "augmentation": [Augmentation, None],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        n_components=6,
        n_features=3,
        width=16,
        energy_weight=5e-4,
        eigenvalue_floor=1e-6,
        features="both",
        residual="absolute",
        scale_residual=False,
        joint=True,
        singularity="floor",
        smoothing=0.0,
        n_em_steps=0,
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
        self.n_components = n_components
        self.n_features = n_features
        self.width = width
        self.energy_weight = energy_weight
        self.eigenvalue_floor = eigenvalue_floor
        self.features = features
        self.residual = residual
        self.scale_residual = scale_residual
        self.joint = joint
        self.singularity = singularity
        self.smoothing = smoothing
        self.n_em_steps = n_em_steps
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
        """Fit features and density on normal slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, 2, n_contrasts, height, width)
            Pairs from a reconstructor; or images (n_samples, n_contrasts, height, width): "latent" features
            only. NaN background.
        y : ignored

        Returns
        -------
        self
        """
        X = self._check_fit_input(X)
        with seeded(self.random_state):
            self.module_ = start_module(self, self._network(X))
            self.history_ = Training.of(self).fit(self.module_, X, self._loss, background=self.background_)
            self.loss_curve_ = self.history_["loss"]
            self.weights_, self.means_, self.covariances_ = self._final_mixture(X)
        return self._fit_offset(X)

    @property
    def _accepts(self):
        return "pairs" if self.features == "residual" else "both"

    def _network(self, X):
        return JointDensityNetwork(
            self.n_contrasts_in_,
            features=self.features if X.ndim == 5 else "latent",
            n_features=self.n_features,
            n_components=self.n_components,
            width=self.width,
            residual=self.residual,
            smoothing=self.smoothing,
            scaled=self.scale_residual,
            detach=not self.joint,
        )

    def _map(self, function, X):
        """A missing contrast shows its reference, so that its residual is 0."""
        return map_slices(self, function, X if X.ndim == 4 else with_missing_from_reference(X))

    def _loss(self, network, images, foreground):
        return joint_loss(
            network,
            images,
            foreground,
            energy_weight=self.energy_weight,
            covariance=self._regular,
            penalty_weight=PENALTY_WEIGHT if self.singularity == "penalty" else 0.0,
        )

    def _regular(self, covariances):
        if self.singularity == "floor":
            return floor_eigenvalues(covariances, self.eigenvalue_floor)
        return require_nonsingular(covariances)

    def _final_mixture(self, X):
        """Parameters from all foreground pixels of X in one pass (A, 2.2.3), then EM; float64 arrays."""
        mixture = self._stream(X, self.module_.responsibilities)
        for _ in range(self.n_em_steps):
            on_device = [part.to(resolve_device(self.device)) for part in mixture]
            mixture = self._stream(X, lambda pixels, m=on_device: log_responsibilities(pixels, *m).exp())
        return tuple(part.numpy() for part in mixture)

    def _stream(self, X, responsibilities):
        """Weights, means and regular covariances of all pixels, in one pass over X."""

        def assign(images, foreground):
            features = foreground_pixels(self.module_(images, foreground)[0].float(), foreground)
            return features, responsibilities(features)

        batches = (batch for _, batch in visit_slices(self, assign, own_share(X)))
        weights, means, covariances = stream_mixture(
            batches, self.n_components, self.module_.n_density_features, merge=merged
        )
        return weights, means, self._regular(covariances)

    def _energies(self, images, foreground):
        mixture = [
            torch.as_tensor(p, device=images.device) for p in (self.weights_, self.means_, self.covariances_)
        ]
        return -energy_map(self.module_(images, foreground)[0].float(), foreground, *mixture)

    def _score(self, X):
        return self._map(self._energies, X)

    def _features(self, X):
        return self._map(lambda *batch: self.module_(*batch)[0], X)

    def _check_score_input(self, X):
        X = super()._check_score_input(X)
        self._check_has_reference(X)
        if X.ndim == 4 and any(missing_contrasts(image[None]).any() for image in X):
            raise ValueError(
                "A missing contrast (NaN over a whole slice) needs its reference: score pairs, not images."
            )
        return X

    def _check_has_reference(self, X):
        if X.ndim == 4 and self.module_.n_residuals:
            raise ValueError(
                "JointDRGMM was fitted on pairs (n_samples, 2, n_contrasts, height, width); got images "
                f"{X.shape}; pass them through the reconstructor first."
            )
