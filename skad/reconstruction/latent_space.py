"""Reconstructors with a latent space: images to latents and back, draws from the prior."""

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skad.base import ReconstructorMixin
from skad.training import map_slices, seeded
from skad.utils.out_of_core import map_chunks
from skad.utils.typing import Array, FloatArray, RandomState

_LARGEST_BATCH = 32  # slices at a time at score time: more gain nothing and cost memory


class LatentReconstructorMixin(ReconstructorMixin):
    """Adds ``encode``, ``decode`` and ``sample`` to a reconstructor.

    A subclass has the parameters ``batch_size``, ``device`` and ``precision``, implements
    ``_halvings()``, and learns in ``fit``

    - ``image_size_`` (height, width) and ``latent_shape_``, the shape of one image's latents;
    - ``module_``, a torch module with ``encode(images)`` -> latents, ``decode(latents)`` -> images and
      ``error(latents, images, foreground)`` -> (n,), images in the intensities of the data. With these,
      :class:`skad.reconstruction.LatentSearchTransformer` can search its latents.

    It calls ``_check_fit_input(X)`` first and sets ``module_`` last.
    """

    def encode(self, X: Array) -> FloatArray:
        """The latents of every image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.

        Returns
        -------
        ndarray of float32, shape ``(n_samples, *latent_shape_)``
        """
        X = self._check_score_input(X)
        return map_chunks(lambda chunk: self._visit(self._latents, chunk), X)

    def decode(self, Z: Array) -> FloatArray:
        """The images of latents.

        Parameters
        ----------
        Z : array-like of shape ``(n_samples, *latent_shape_)``

        Returns
        -------
        ndarray of float32, shape (n_samples, n_contrasts, height, width)
            In the intensities of the training data. Latents do not say where the background is: what an image
            shows there is arbitrary.

        Raises
        ------
        ValueError
            Z has another shape, or is not finite.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=np.float32, ensure_2d=False, allow_nd=True, input_name="Z")
        if Z.shape[1:] != self.latent_shape_:
            expected = ", ".join(["n_samples", *map(str, self.latent_shape_)])
            raise ValueError(f"Z should have shape ({expected}), got {Z.shape}.")
        return self._visit(lambda latents, _: self.module_.decode(latents), Z, np.zeros(Z.shape[1]))

    def sample(self, n_samples: int = 1, random_state: RandomState = None) -> FloatArray:
        """Images decoded from draws of the standard normal prior.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None

        Returns
        -------
        ndarray of float32, shape (n_samples, n_contrasts, height, width)
            As :meth:`decode` gives them.
        """
        check_is_fitted(self)
        with seeded(random_state) as generator:
            Z = generator.standard_normal((n_samples, *self.latent_shape_), dtype=np.float32)
        return self.decode(Z)

    def _latents(self, images, foreground):
        return self.module_.encode(images)

    def _reconstruct(self, X):
        return self._visit(self._network_map, X)

    def _network_map(self, images, foreground):
        return self.module_.decode(self._latents(images, foreground))

    def _visit(self, function, X, background=None):
        return map_slices(
            self, function, X, background=background, batch_size=min(self.batch_size, _LARGEST_BATCH)
        )

    def _check_fit_input(self, X):
        if np.ndim(X) == 4:
            self._check_size(*np.shape(X)[-2:])
        return super()._check_fit_input(X)

    def _check_size(self, height, width):
        step = 2 ** self._halvings()
        if height % step or width % step:
            raise ValueError(
                f"Height and width of X should be divisible by {step} ({self._halvings()} halvings), got "
                f"{height} x {width} pixels; crop or pad the slices, or use fewer halvings."
            )
        known = getattr(self, "image_size_", (height, width))
        if getattr(self, "warm_start", False) and known != (height, width):
            raise ValueError(
                f"warm_start=True continues from a fit with {known[0]} x {known[1]} pixels, got "
                f"{height} x {width}; set warm_start=False."
            )

    def _check_score_input(self, X):
        X = super()._check_score_input(X)
        if X.shape[-2:] != self.image_size_:
            expected, came = (" x ".join(map(str, size)) for size in (self.image_size_, X.shape[-2:]))
            raise ValueError(
                f"X has slices of {came} pixels, but the estimator was fitted on {expected}; "
                "crop, pad or resize them to that."
            )
        return X

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")
