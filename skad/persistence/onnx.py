"""Networks of fitted estimators in the ONNX format, for programs that know neither torch nor skad."""

import warnings
from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted

from skad.base import takes_pairs
from skad.nn.background import split_background
from skad.utils.files import written_whole
from skad.utils.optional import import_extra
from skad.utils.typing import PathLike

_EXTRA = "export_onnx needs onnx and onnxscript: pip install skad[export] ({error})"


def export_onnx(estimator: Any, path: PathLike, *, size: tuple[int, int] | None = None) -> None:
    """Write the network of a fitted estimator as one ONNX file.

    The file takes what the estimator takes, NaN background included. Input ``images``: float32 of shape (n,
    n_contrasts, height, width), pairs (n, 2, n_contrasts, height, width) where the estimator was fitted on
    pairs, or (n, 3, n_contrasts, height, width) where on slices with their neighbors; n is free. Output of a
    reconstructor: ``reference``, what its ``reconstruct`` gives, of the shape of the images; of a scorer:
    ``anomaly``, minus what its ``score_samples`` gives, of shape (n, height, width). Both are NaN in the
    background.

    Parameters
    ----------
    estimator : fitted estimator
        A reconstructor whose reference is one pass of its network (`VAEReconstructor`,
        `IntroVAEReconstructor`, `FAnoGANReconstructor`, `ContrastTranslator`, `DenoisingReconstructor`), or
        a `SyntheticAnomalyScorer`.
    path : path-like
        For example ``"reference.onnx"``; complete or not at all.
    size : tuple of (height, width), default=None
        Of the slices, pixels. None takes the size that the estimator was fitted on, if it keeps one.

    Raises
    ------
    ImportError
        The extra ``[export]`` is not installed.
    TypeError
        The estimator is no network of one pass, for example a pipeline or a search.
    ValueError
        `size` is needed.

    See Also
    --------
    skad.save : The whole estimator, to be loaded by skad.

    Notes
    -----
    A missing contrast is an input of skad only: the file wants every contrast.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.persistence import export_onnx
    >>> from skad.reconstruction import DenoisingReconstructor
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 16, 24)).astype("float32")
    >>> fitted = DenoisingReconstructor(width=4, depth=1, max_epochs=1, random_state=0).fit(X)
    >>> export_onnx(fitted, "reference.onnx", size=(16, 24))  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("reference.onnx")  # doctest: +SKIP
    >>> (reference,) = session.run(None, {"images": X})  # doctest: +SKIP
    """
    if not (hasattr(estimator, "_network_map") and getattr(estimator, "_one_pass", True)):
        raise TypeError(
            f"{type(estimator).__name__} is no single pass of a network: give a fitted reconstructor such as "
            "ContrastTranslator, or a SyntheticAnomalyScorer; of a pipeline, one of its steps."
        )
    check_is_fitted(estimator)
    size = getattr(estimator, "image_size_", None) if size is None else size
    if size is None:
        raise ValueError(f"size should be given: {type(estimator).__name__} takes slices of any size.")
    for package in ("onnx", "onnxscript"):
        import_extra(package, _EXTRA)
    shape = (*_series(estimator), estimator.n_contrasts_in_, *size)
    with written_whole(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of parts of torch
        torch.onnx.export(
            _program(_WithBackground(estimator).eval(), torch.zeros(2, *shape)),
            f=temporary,
            input_names=["images"],
            output_names=["reference" if hasattr(estimator, "reconstruct") else "anomaly"],
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _series(estimator):
    """The further axis of pairs, or of slices with their neighbors, that the network was fitted to."""
    module = estimator.module_
    if getattr(module, "neighbors", False):
        return (3,)
    inputs = getattr(module, "inputs", ("reference",) * takes_pairs(estimator))
    return (2,) if "reference" in inputs else (3,) if "neighbors" in inputs else ()


def _program(module, images):
    """The operations of a module on images, in terms of those that ONNX has; their number is free."""
    program = torch.export.export(module, (images,), dynamic_shapes=({0: torch.export.Dim("n")},))
    return program.run_decompositions({torch.ops.aten.nanmedian.dim: _nanmedian})


def _nanmedian(values, dim, keepdim=False):
    """``torch.nanmedian`` by sorting, which is slower: values and indices."""
    missing = values.isnan()
    ordered, order = torch.where(missing, torch.inf, values).sort(dim)
    middle = ((~missing).sum(dim, keepdim=True) - 1).clamp(min=0) // 2
    median = torch.where(missing.all(dim, keepdim=True), torch.nan, ordered.gather(dim, middle))
    result = median, order.gather(dim, middle)
    return result if keepdim else tuple(each.squeeze(dim) for each in result)


class _WithBackground(torch.nn.Module):
    """The network of an estimator with what surrounds it: NaN is filled before, and put back after."""

    def __init__(self, estimator):
        super().__init__()
        self.network = estimator.module_
        self.register_buffer("background", torch.as_tensor(estimator.background_, dtype=torch.float32))
        self.function = estimator._network_map

    def forward(self, images):
        filled, foreground = split_background(images, self.background)
        result = self.function(filled, foreground)
        return torch.where(foreground if result.dim() == 4 else foreground[:, 0], result, torch.nan)
