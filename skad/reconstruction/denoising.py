"""Denoising U-Net: removes coarse noise, and with it what it has never seen (Kascenas et al. 2022)."""

from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skad.augmentation import Augmentation, Geometry
from skad.base import ReconstructorMixin
from skad.nn.background import foreground_mean
from skad.nn.unet import UNet
from skad.training import TRAINING_CONSTRAINTS, Training, describe_training, map_slices, seeded, start_module
from skad.utils.typing import Array


def coarse_noise(images, cells):
    """Interpolated normal noise on a coarse grid; every image has its own grid at a place of its own.

    Parameters
    ----------
    images : Tensor of shape (n, n_contrasts, height, width)
        What the noise is for: only its shape and device count.
    cells : int
        Cells of the grid along each axis.

    Returns
    -------
    Tensor of shape (n, n_contrasts, height, width)
        Independent between images and contrasts.
    """
    n, n_contrasts, height, width = images.shape
    grid = torch.randn(n, n_contrasts, cells + 2, cells + 2, device=images.device)
    view = torch.zeros(n, 2, 3, device=images.device)
    view[:, 0, 0] = view[:, 1, 1] = cells / (cells + 2)
    view[:, :, 2] = (2 * torch.rand(n, 2, device=images.device) - 1) / (cells + 2)
    places = F.affine_grid(view, [n, 1, height, width], align_corners=False)
    return F.grid_sample(grid, places, padding_mode="border", align_corners=False)


@describe_training
class DenoisingReconstructor(ReconstructorMixin, BaseEstimator):
    """Reference: output of a U-Net trained to remove coarse noise.

    A lesion is as coarse and as far from the ordinary as the noise, so it goes too; the skip connections keep
    the detail.

    Parameters
    ----------
    noise_sigma : float, default=1.2
        Standard deviation of the noise before interpolation, in standard deviations of each contrast. (We;
        Kascenas et al.: 0.2 where intensities run from 0 to 1.)
    noise_cells : int, default=16
        Cells of the coarse noise along each axis (Kascenas et al.).
    loss : {"l2", "l1"}, default="l2"
        Squared or absolute error over the foreground, in standard deviations of each contrast.
    width : int, default=16
        Feature maps of the finest level of the U-Net. (We, for few slices and a CPU; Kascenas et al.: 64.)
    depth : int, default=4
        Halvings of the resolution in the U-Net.
    augmentation : "auto", Augmentation or None, default="auto"
        Random views of the training slices, before the noise. "auto": flips.
    max_epochs : int, default=40
        Passes over the training slices.
    batch_size : int, default=16
        Slices per step.
    lr : float, default=1e-3
        Learning rate of Adam.
    {device}
    {precision}
    {random_state}
    {verbose}
    {callbacks}
    {warm_start}

    Attributes
    ----------
    module_ : UNet
        Predicts minus the noise, in standard deviations. On the CPU.
    scale_ : ndarray of shape (n_contrasts,)
        Standard deviation of every contrast over the training foreground.
    loss_curve_ : list of float
        Mean training loss of every epoch.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    skad.scoring.ResidualScorer : Scores what the denoiser changes.

    Notes
    -----
    We: the network predicts the correction rather than the image, which keeps absolute intensities out of its
    normalized layers; noise is independent between contrasts and lies at a random place of its grid in every
    image. No noise is added at score time.

    References
    ----------
    Kascenas, Pugeault, O'Neil, "Denoising autoencoders for unsupervised anomaly detection in brain MRI", MIDL
    2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import DenoisingReconstructor
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 16)).astype("float32")
    >>> DenoisingReconstructor(width=4, depth=1, max_epochs=1, random_state=0).fit(X).transform(X).shape
    (4, 2, 2, 12, 16)
    """

    _parameter_constraints = {
        "noise_sigma": [Interval(Real, 0, None, closed="neither")],
        "noise_cells": [Interval(Integral, 1, None, closed="left")],
        "loss": [StrOptions({"l1", "l2"})],
        "width": [Interval(Integral, 1, None, closed="left")],
        "depth": [Interval(Integral, 0, None, closed="left")],
        "augmentation": [StrOptions({"auto"}), Augmentation, None],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        noise_sigma=1.2,
        noise_cells=16,
        loss="l2",
        width=16,
        depth=4,
        augmentation="auto",
        max_epochs=40,
        batch_size=16,
        lr=1e-3,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.noise_sigma = noise_sigma
        self.noise_cells = noise_cells
        self.loss = loss
        self.width = width
        self.depth = depth
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
        """Learn to remove coarse noise from normal slices.

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
        self.scale_ = _spread_of(X)
        with seeded(self.random_state):
            module = start_module(self, self._network())
            training = Training.of(self, augmentation=self._views())
            curves = training.fit(module, X, self._loss, background=self.background_)
        self.module_, self.loss_curve_ = module, curves["loss"]
        return self

    def _network(self):
        return UNet(self.n_contrasts_in_, self.n_contrasts_in_, width=self.width, depth=self.depth)

    def _views(self):
        return Augmentation(Geometry()) if isinstance(self.augmentation, str) else self.augmentation

    def _loss(self, network, images, foreground):
        scale = self._scale(images)
        noise = self.noise_sigma * scale * coarse_noise(images, self.noise_cells)
        error = (self._denoise(network, images + noise * foreground) - images) / scale
        size = error.square() if self.loss == "l2" else error.abs()
        return {"loss": foreground_mean(size, foreground)}

    def _denoise(self, network, images):
        scale = self._scale(images)
        return images + scale * network(images / scale)

    def _scale(self, images):
        return torch.as_tensor(self.scale_, device=images.device)[:, None, None]

    def _reconstruct(self, X):
        return map_slices(self, self._network_map, X)

    def _network_map(self, images, foreground):
        return self._denoise(self.module_, images)


def _spread_of(X):
    """Standard deviation of every contrast over the whole foreground; 1 where it is constant."""
    count = sum(np.count_nonzero(~np.isnan(image[0])) for image in X)
    mean = sum(np.nansum(image, axis=(1, 2), dtype=np.float64) for image in X) / count
    squares = sum(np.nansum((image - mean[:, None, None]) ** 2, axis=(1, 2)) for image in X)
    return np.where(squares > 0, np.sqrt(squares / count), 1).astype(np.float32)
