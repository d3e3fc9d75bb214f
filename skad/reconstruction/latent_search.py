"""Better latents for the references of any reconstructor that has a latent space (K, II-B.3)."""

from numbers import Integral, Real
from typing import Self

from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted
from torch.nn import Module

from skad.nn.latent_search import frozen, search_latents
from skad.reconstruction.latent_space import LatentReconstructorMixin
from skad.training import map_slices, resolve_device
from skad.utils.out_of_core import map_chunks
from skad.utils.typing import Array, FloatArray


class LatentSearchTransformer(MetaEstimatorMixin, LatentReconstructorMixin, BaseEstimator):
    """Reference: decoded from the latents that reproduce the image best, found by optimization.

    The search begins at the latents that the reconstructor encodes the image to; its networks stay as they
    are. The reconstruction error of an image never rises.

    Parameters
    ----------
    reconstructor : estimator
        With ``encode`` and ``decode``, as :class:`VAEReconstructor` and :class:`IntroVAEReconstructor` have
        them. A clone is fitted; wrapped in :class:`sklearn.frozen.FrozenEstimator`, a fitted one is used as
        it is.
    n_steps : int, default=100
        Steps of Adam (K).
    lr : float, default=1e-3
        (K)
    tol : float, default=0.0
        The search of an image ends when a step lowers its L_AE by less than this; 0 takes every step.
    batch_size : int, default=32
        Slices searched together on a GPU; they do not influence each other. On a CPU, where it is as fast,
        they are searched one after the other.

    Attributes
    ----------
    reconstructor_ : estimator
        The fitted reconstructor. Its ``device`` and ``precision`` are those of the search.
    background_, n_contrasts_in_, image_size_, latent_shape_, module_
        Those of ``reconstructor_``.

    See Also
    --------
    IntroVAEReconstructor : The reconstructor that K searches.

    Notes
    -----
    We: images of a batch are searched together and independently, the best latents seen are kept. Sums round
    differently in batches of different sizes, and a hundred steps of Adam through rectifiers magnify that; on
    a CPU the latents of an image are bit for bit the same whatever other images come with it. A reconstructor
    of your own takes part if its ``module_`` has the three methods that
    :class:`skad.reconstruction.latent_space.LatentReconstructorMixin` names.

    References
    ----------
    Kobayashi et al. (K), II-B.3, III-C.3. Schlegl et al., "AnoGAN", IPMI 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import LatentSearchTransformer, VAEReconstructor
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 8, 12)).astype("float32")
    >>> vae = VAEReconstructor(channels=(4, 8), latent_channels=2, max_epochs=1, random_state=0)
    >>> search = LatentSearchTransformer(vae, n_steps=5).fit(X)
    >>> curve = search.search_curve(X)
    >>> curve.shape, bool((curve[:, -1] < curve[:, 0]).all())
    ((4, 6), True)
    """

    _parameter_constraints = {
        "reconstructor": [HasMethods(["fit", "encode", "decode"])],
        "n_steps": [Interval(Integral, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, reconstructor, *, n_steps=100, lr=1e-3, tol=0.0, batch_size=32):
        self.reconstructor = reconstructor
        self.n_steps = n_steps
        self.lr = lr
        self.tol = tol
        self.batch_size = batch_size

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Fit a clone of the reconstructor.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.
        y : ignored

        Returns
        -------
        self
        """
        reconstructor = clone(self.reconstructor).fit(X, y)
        reconstructor._check_score_input(X[:1])  # a frozen one may have learned from other images
        self.n_contrasts_in_ = reconstructor.n_contrasts_in_
        self.background_ = reconstructor.background_
        self.reconstructor_ = reconstructor
        return self

    def search_curve(self, X: Array) -> FloatArray:
        """How the reconstruction error falls.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_steps + 1)
            Smallest L_AE of every image up to each step; the first column is that of the encoded latents, the
            last that of the latents which :meth:`encode` returns.
        """
        X = self._check_score_input(X)
        return map_chunks(lambda chunk: self._visit(lambda *batch: self._search(*batch)[1].T, chunk), X)

    _one_pass = False  # the reference is the end of a search

    def _latents(self, images, foreground):
        return self._search(images, foreground)[0]

    def _search(self, images, foreground):
        with frozen(self.module_) as module:
            start = module.encode(images)
            return search_latents(
                module.error, start, images, foreground, n_steps=self.n_steps, lr=self.lr, tol=self.tol
            )

    def _reconstruct(self, X):
        return self._visit(lambda *batch: self.module_.decode(self._latents(*batch)), X)

    def _visit(self, function, X, background=None):
        device = resolve_device(self.reconstructor_.device)
        return map_slices(
            self.reconstructor_,
            function,
            X,
            background=background,
            batch_size=1 if device.type == "cpu" else self.batch_size,
        )

    def _check_score_input(self, X):
        check_is_fitted(self)
        return self.reconstructor_._check_score_input(X)

    @property
    def module_(self) -> Module:
        return self.reconstructor_.module_

    @property
    def image_size_(self) -> tuple[int, int]:
        return self.reconstructor_.image_size_

    @property
    def latent_shape_(self) -> tuple[int, ...]:
        return self.reconstructor_.latent_shape_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "reconstructor_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.reconstructor).input_tags
        tags.input_tags.missing_contrast = getattr(inner, "missing_contrast", False)
        return tags
