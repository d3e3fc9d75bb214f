"""Where the brain is: found by a network or a template, or given by the user."""

import warnings
from dataclasses import replace
from os import PathLike

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skad.io import VolumeReadError, to_image
from skad.io.nifti import open_nifti
from skad.io.sources import InMemory
from skad.preparation.plausibility import mask_warnings
from skad.preparation.sources import Original
from skad.preparation.step import VolumeStep, changed, contrast_of, t1w_or_first
from skad.preparation.template import template_mask
from skad.utils.optional import import_extra


class BrainExtract(VolumeStep):
    """Add a brain mask to each volume; intensities and grid are unchanged.

    Parameters
    ----------
    contrast : str, default=None
        The contrast in which the brain is looked for, or that the user's masks were drawn on. None is
        "T1w" where the volume has it, or else its first contrast.
    method : {"deepbet", "template"}, default="deepbet"
        "deepbet" is the network of Fisch et al. (2024), whose weights come with its package. "template" lays
        the MNI152 2009a template that ships with nilearn over the head with 12 degrees of freedom; it needs
        no network, and fails more often.
    masks : path-like, default=None
        Masks of your own, from HD-BET or SynthStrip for example, with ``{subject}`` where the subject's name
        goes: "masks/{subject}.nii.gz". A mask lies on the file of `contrast` and moves with it.
    replace : bool, default=False
        Whether to look for the brain of a volume that has a mask already. By default its mask stays.

    Notes
    -----
    A mask of an implausible volume or place adds a sentence to the volume's ``info["warnings"]``
    (:func:`skad.preparation.mask_warnings`), whoever made it.

    References
    ----------
    Fisch et al. (2024). deepbet: Fast brain extraction of T1-weighted MRI using convolutional neural
    networks. Computers in Biology and Medicine 179. Fonov et al. (2009). Unbiased nonlinear average
    age-appropriate brain templates from birth to adulthood. NeuroImage 47.

    See Also
    --------
    CoRegister : Comes before, so that one mask serves all contrasts.
    BiasCorrect : Comes after, and looks at the brain alone.

    Examples
    --------
    >>> from skad.preparation import BrainExtract
    >>> BrainExtract().fit_transform(volumes)[0].mask.shape  # doctest: +SKIP
    (256, 224, 26)
    >>> BrainExtract("T1w", masks="hd-bet/{subject}_T1w_bet.nii.gz").fit_transform(volumes)  # doctest: +SKIP
    """

    _parameter_constraints = {
        "contrast": [str, None],
        "method": [StrOptions({"deepbet", "template"})],
        "masks": [str, PathLike, None],
        "replace": ["boolean"],
    }

    def __init__(self, contrast=None, *, method="deepbet", masks=None, replace=False):
        self.contrast = contrast
        self.method = method
        self.masks = masks
        self.replace = replace

    def _prepare(self, volume):
        name = t1w_or_first(volume) if self.contrast is None else self.contrast
        voxels = contrast_of(volume, name)
        mask = self._mask(volume, name, voxels)
        found = changed(volume, mask=mask)
        doubts = mask_warnings(found.mask, voxels, volume.affine)
        return changed(found, warnings=[*volume.info.get("warnings", ()), *doubts])

    def _mask(self, volume, name, voxels):
        if self.masks is not None:
            return self._given(volume, name)
        if volume.has_mask and not self.replace:
            return None
        if self.method == "template":
            return template_mask(voxels, volume.affine)
        return InMemory(deepbet_mask(voxels, volume), f"brain mask of subject {volume.subject!r}")

    def _given(self, volume, name):
        path = str(self.masks).replace("{subject}", volume.subject)
        original = volume.info["originals"][name] if "originals" in volume.info else Original.of(volume, name)
        image = open_nifti(path)
        mask = replace(original, source=image, affine=image.affine).on(volume, order=0)
        if not (mask.load() > 0.5).any():
            raise VolumeReadError(
                f"{path} has no brain where {name} of subject {volume.subject!r} is: give the mask of {name}."
            )
        return mask

    def _check(self, volumes):
        if self.masks is not None and "{subject}" not in str(self.masks) and len(volumes) > 1:
            raise ValueError(
                f"masks should have {{subject}} where the subject's name goes, got {str(self.masks)!r} for "
                f"{len(volumes)} volumes."
            )


def deepbet_mask(voxels, volume):
    """The brain that deepbet's network finds, bool of the volume's shape.

    Parameters
    ----------
    voxels : float array of the volume's shape
        A head with skull; T1-weighted ones are what the network was trained on.
    volume : Volume
        Where the voxels are.

    Raises
    ------
    ImportError
        deepbet is not installed.
    ValueError
        The network finds no brain.
    """
    deepbet = import_extra(
        "deepbet",
        "Brain extraction needs deepbet, which cannot be imported ({error}): "
        "pip install 'skad[prepare]' (in a clone: pip install -e '.[prepare]'), or give masks of your own.",
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its weights are a TorchScript file
            _, mask, _ = deepbet.BrainExtraction(no_gpu=True).run(to_image(np.nan_to_num(voxels), volume))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"deepbet found no brain in subject {volume.subject!r} ({error}): give masks of your own."
        ) from error
    return np.asarray(mask.dataobj) > 0
