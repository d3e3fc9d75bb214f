"""A network that names the anatomy of every pixel (K, III-C.5)."""

from functools import partial
from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.metrics import f1_score
from sklearn.utils._param_validation import Interval, StrOptions

from skad.augmentation import Augmentation, Geometry
from skad.base import ImageEstimatorMixin
from skad.nn.residual_unet import ResidualUNet
from skad.nn.segmentation_loss import focal_loss, soft_dice_loss
from skad.training import TRAINING_CONSTRAINTS, Training, describe_training, map_slices, seeded, start_module
from skad.utils.out_of_core import map_chunks
from skad.utils.typing import Array, FloatArray, IntArray
from skad.utils.validation import foreground_of

PAPER_AUGMENTATION = Augmentation(Geometry(flip=False, rotation=10.0))


def segmentation_loss(network, images, foreground, labels, *, classes, gamma):
    """Soft Dice plus focal loss of a batch (K, III-C.5).

    Parameters
    ----------
    network : ResidualUNet
    images : Tensor of shape (n, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    labels : int64 Tensor of shape (n, height, width)
        Of `classes`, or negative: left out.
    classes : int64 Tensor of shape (n_classes,)
        Ascending.
    gamma : float
        Of the focal loss.

    Returns
    -------
    dict of scalar Tensors: "loss", "dice_loss", "focal_loss"
    """
    logits = network(images)
    indices = torch.searchsorted(classes.to(labels.device), labels.clamp(min=0))
    indices = torch.where((labels >= 0) & foreground[:, 0], indices, -1)
    dice, focal = soft_dice_loss(logits, indices), focal_loss(logits, indices, gamma)
    return {"loss": dice + focal, "dice_loss": dice, "focal_loss": focal}


@describe_training
class AnatomySegmenter(ImageEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Classifier of pixels by anatomical structure.

    Trained on labeled normal slices it judges the references of reconstructors, see
    :func:`skad.anatomy.anatomical_fidelity`.

    Parameters
    ----------
    width : int, default=32
        Feature maps of the finest level of the residual U-Net. (We; so is `depth`.)
    depth : int, default=4
        Halvings of the resolution in the U-Net.
    gamma : float, default=2.0
        How strongly the focal loss looks away from pixels that are well classified; 0 is cross-entropy. (Lin
        et al.; K gives none.)
    augmentation : "auto", Augmentation or None, default="auto"
        Random views of the training slices, labels included. "auto": rotation (K) up to 10 degrees (we).
        Mirror images only if no class is a side, such as K's left and right eye.
    weight_decay : float, default=1e-5
        Of AdamW (K's value; the optimizer is ours).
    max_epochs : int, default=1000
        Passes over the training slices (K).
    batch_size : int, default=100
        Slices per step (K).
    lr : float, default=1e-5
        Learning rate of AdamW (K). For a training of minutes on a CPU take 1e-3 with ``width=16, depth=3,
        batch_size=8`` and some 20 epochs.
    {device}
    {precision}
    {random_state}
    {verbose}
    {callbacks}
    {warm_start}

    Attributes
    ----------
    classes_ : ndarray of int, shape (n_classes,)
        The labels in `y`, ascending, without negative ones.
    module_ : ResidualUNet
        On the CPU; one logit per class.
    history_ : dict of str to list of float
        Per epoch the mean of "loss", "dice_loss" and "focal_loss".
    loss_curve_ : list of float
        ``history_["loss"]``.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    anatomical_fidelity : Judges references by a fitted segmenter.

    Notes
    -----
    Unlike everywhere else in skad, `y` holds anatomy, not abnormality: every non-negative label is a class,
    0 as well. :class:`skad.preprocessing.VolumePreprocessor` cuts such labels as it cuts lesions, see
    :func:`skad.datasets.label_anatomy` and the parameter `labels` of the loaders. Classes exclude each other;
    where K names the whole brain and its parts, a class is the brain without the parts.

    References
    ----------
    Kobayashi et al. (K), II-D and III-C.5. Sudre et al. 2017 (soft Dice). Lin et al., ICCV 2017 (focal loss).

    Examples
    --------
    >>> import numpy as np
    >>> from skad.anatomy import AnatomySegmenter
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 12, 16)).astype("float32")
    >>> y = np.where(X[:, 0] > 0, 7, 2)
    >>> segmenter = AnatomySegmenter(width=4, depth=1, max_epochs=1, random_state=0).fit(X, y)
    >>> segmenter.classes_, segmenter.predict_proba(X).shape, segmenter.predict(X).shape
    (array([2, 7]), (4, 2, 12, 16), (4, 12, 16))
    """

    _parameter_constraints = {
        "width": [Interval(Integral, 1, None, closed="left")],
        "depth": [Interval(Integral, 0, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "augmentation": [StrOptions({"auto"}), Augmentation, None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        width=32,
        depth=4,
        gamma=2.0,
        augmentation="auto",
        weight_decay=1e-5,
        max_epochs=1000,
        batch_size=100,
        lr=1e-5,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.width = width
        self.depth = depth
        self.gamma = gamma
        self.augmentation = augmentation
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array) -> Self:
        """Learn the classes of labeled slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.
        y : array-like of int, shape (n_samples, height, width)
            Anatomical class of every pixel; a negative label and the background of X are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            `y` is no integer array of the shape of the slices, or labels less than two classes.
        """
        X = self._check_fit_input(X)
        y = _check_labels(y, X)
        classes = self._check_classes(_classes_of(X, y))
        with seeded(self.random_state):
            network = ResidualUNet(X.shape[1], len(classes), width=self.width, depth=self.depth)
            module = start_module(self, network)
            training = Training.of(self, augmentation=self._views(), optimizers=self._adamw)
            loss = partial(segmentation_loss, classes=torch.as_tensor(classes), gamma=self.gamma)
            self.history_ = training.fit(module, X, loss, background=self.background_, y=y)
        self.classes_, self.module_, self.loss_curve_ = classes, module, self.history_["loss"]
        return self

    def _views(self):
        return PAPER_AUGMENTATION if isinstance(self.augmentation, str) else self.augmentation

    def _adamw(self, module):
        return {"adamw": torch.optim.AdamW(module.parameters(), lr=self.lr, weight_decay=self.weight_decay)}

    def _check_classes(self, classes):
        known = getattr(self, "classes_", classes)
        if self.warm_start and not np.array_equal(known, classes):
            raise ValueError(
                f"warm_start=True continues with the classes {known.tolist()}, got {classes.tolist()} in y; "
                "set warm_start=False."
            )
        return classes

    def predict_proba(self, X: Array) -> FloatArray:
        """Probability of every class at every pixel.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)

        Returns
        -------
        ndarray of float32, shape (n_samples, n_classes, height, width)
            Along axis 1 in the order of `classes_`; NaN in the background.
        """
        return map_chunks(self._probabilities, self._check_score_input(X))

    def _probabilities(self, X):
        probabilities = map_slices(self, lambda images, _: self.module_(images).softmax(dim=1), X)
        return np.where(foreground_of(X)[:, None], probabilities, np.float32(np.nan))

    def predict(self, X: Array) -> IntArray:
        """The most probable class of every pixel.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)

        Returns
        -------
        ndarray of int, shape (n_samples, height, width)
            Of `classes_`; -1 in the background.
        """
        indices = map_chunks(self._indices, self._check_score_input(X)).astype(np.intp)
        return np.where(indices >= 0, self.classes_[indices], -1)

    def _indices(self, X):
        indices = map_slices(self, lambda images, _: self.module_(images).argmax(dim=1), X)
        return np.where(foreground_of(X), indices, np.float32(-1))

    def score(self, X: Array, y: Array) -> float:
        """Mean Dice over the classes of `y`, pixels of all slices pooled: high is good.

        Parameters
        ----------
        X, y
            As in `fit`.

        Returns
        -------
        float
        """
        X = self._check_score_input(X)
        y, predicted = _check_labels(y, X), self.predict(X)
        known = (y >= 0) & (predicted >= 0)
        truth = y[known]
        return float(
            f1_score(truth, predicted[known], labels=np.unique(truth), average="macro", zero_division=0.0)
        )


def _check_labels(y, X):
    y = np.asarray(y)
    expected = (len(X), *X.shape[-2:])
    if y.shape != expected or y.dtype.kind not in "iub":
        raise ValueError(
            f"y should hold an integer for every pixel, shape {expected}, got {y.dtype} of shape {y.shape}."
        )
    return y


def _classes_of(X, y):
    """Labels of the foreground, ascending; slice by slice, so that memory maps stay on disk."""
    found = set()
    for image, labels in zip(X, y, strict=True):
        found.update(np.unique(labels[foreground_of(image[None])[0]]).tolist())
    classes = np.array(sorted(label for label in found if label >= 0), dtype=np.int64)
    if len(classes) < 2:
        raise ValueError(
            f"y should label at least two classes in the foreground of X, got {classes.tolist()}."
        )
    return classes
