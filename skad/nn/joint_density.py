"""The networks of ADM's second stage together: dimension reduction and responsibilities (A, 2.2.2-2.2.3)."""

import math

import torch
from torch import nn

from skad.nn.dimension_reduction import DimensionReducer, ResponsibilityNetwork, convolutions
from skad.nn.gaussian_blur import blur_foreground
from skad.nn.residuals import KINDS, residual


class JointDensityNetwork(nn.Module):
    """Feature maps of images or pairs, and the responsibilities of their pixels.

    Parameters
    ----------
    n_contrasts : int
        C.
    features : {"both", "residual", "latent"}, default="both"
        Which maps the density sees.
    n_features : int, default=3
        Learned maps.
    n_components : int, default=6
    width : int, default=16
        Hidden feature maps.
    residual : {"absolute", "signed"}, default="absolute"
        ``|X - X_ct|`` (A, eq. 5) or ``X - X_ct``.
    smoothing : float, default=0.0
        Gaussian smoothing of the signed residual inside the foreground, pixels. (We)
    scaled : bool, default=False
        Residuals in units of the standard deviation that a network expects from the reference there. (We)
    detach : bool, default=False
        Whether the density's gradient stops at the learned maps (ADM_woj).
    """

    def __init__(
        self,
        n_contrasts,
        *,
        features="both",
        n_features=3,
        n_components=6,
        width=16,
        residual="absolute",
        smoothing=0.0,
        scaled=False,
        detach=False,
    ):
        super().__init__()
        # what it was built with stays readable: skad.save rebuilds a module from these
        self.n_contrasts, self.features, self.n_features = n_contrasts, features, n_features
        self.n_components, self.width = n_components, width
        self.residual, self.smoothing, self.scaled, self.detach = residual, smoothing, scaled, detach
        self.n_residuals = 0 if features == "latent" else n_contrasts
        self.n_density_features = self.n_residuals + (0 if features == "residual" else n_features)
        self.reducer = (
            None if features == "residual" else DimensionReducer(n_contrasts, n_features, width=width)
        )
        self.log_scale = None
        if scaled and self.n_residuals:
            self.log_scale = convolutions([n_contrasts, width, width, n_contrasts], kernel_size=3)
        self.responsibility = ResponsibilityNetwork(self.n_density_features, n_components, width=width)

    def forward(self, images, foreground):
        """Feature maps, and the images rebuilt from the learned ones.

        Parameters
        ----------
        images : Tensor of shape (n, C, height, width), or pairs (n, 2, C, height, width)
        foreground : bool Tensor of shape (n, 1, height, width)

        Returns
        -------
        maps : Tensor of shape (n, n_density_features, height, width)
            Residuals first, then the learned maps.
        reconstruction : Tensor of shape (n, C, height, width), or None without learned maps
        surprise : Tensor of shape (n, C, height, width), or None without scaling
            Negative log-likelihood of the residuals under their expected scale, up to a constant.
        """
        observed = images if images.dim() == 4 else images[:, 0]
        maps, reconstruction, surprise = [], None, None
        if self.n_residuals:
            difference, surprise = self._residual(observed, images[:, 1], foreground)
            maps.append(difference)
        if self.reducer is not None:
            latent, reconstruction = self.reducer(observed)
            latent, reconstruction = latent.float(), reconstruction.float()
            maps.append(latent.detach() if self.detach else latent)
        return torch.cat(maps, dim=1), reconstruction, surprise

    def _residual(self, observed, reference, foreground):
        """The residual, and how surprising it is; the energy must not teach the scale."""

        def smooth(maps):
            return blur_foreground(maps, foreground, self.smoothing, radius=math.ceil(4 * self.smoothing))

        smooth = smooth if self.smoothing else None
        if self.log_scale is None:
            return residual(observed, reference, self.residual, smooth=smooth), None
        log_scale = self.log_scale(reference).float().clamp(-5, 5)
        scaled = residual(observed, reference, "signed", smooth=smooth, spread=log_scale.exp())
        return KINDS[self.residual](scaled.detach()), log_scale + 0.5 * scaled.square()

    def responsibilities(self, features):
        """Membership of every pixel in every component (A, eq. 8).

        Parameters
        ----------
        features : Tensor of shape (n_pixels, n_density_features)

        Returns
        -------
        Tensor of shape (n_pixels, n_components); rows sum to one
        """
        return self.responsibility(features)
