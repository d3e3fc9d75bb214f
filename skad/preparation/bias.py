"""Coil sensitivity: the same tissue is brighter near the coil; N4 estimates the field and divides by it."""

import numpy as np

from skad.preparation.itk import TO_ITK, itk_errors, load_simpleitk, one_thread, to_itk
from skad.preparation.sources import Flattened
from skad.preparation.step import VolumeStep, changed

COARSE = 4.0  # mm between the voxels that N4 sees; the field is smooth over centimeters (Tustison 2010)
N_ITERATIONS = [50, 50, 50, 50]  # at most, per level of the spline


class BiasCorrect(VolumeStep):
    """Correct the bias field of each contrast, estimated with N4.

    Use it after `BrainExtract`, whose mask limits where the field is estimated. The field has a geometric
    mean of 1 in the mask, so that intensities keep their scale. Maps stay on the volume's grid, so
    `inverse_transform` returns them unchanged.

    See Also
    --------
    skad.preparation.BrainExtract : Gives the mask.
    skad.preparation.make_preparation : All steps as a pipeline.

    References
    ----------
    Tustison, Avants, Cook, Zheng, Egan, Yushkevich, Gee (2010). N4ITK: improved N3 bias correction. IEEE
    Trans. Med. Imaging 29(6).

    Examples
    --------
    >>> from skad.datasets import make_phantom
    >>> from skad.preparation import BiasCorrect
    >>> volumes = make_phantom(1, shape=(32, 40, 12), bias_field=0.6, random_state=0)
    >>> flat, = BiasCorrect().fit_transform(volumes)  # doctest: +SKIP
    >>> flat.contrasts["T1w"].shape  # doctest: +SKIP
    (32, 40, 12)
    """

    def _prepare(self, volume):
        mask = volume.mask
        sources = {
            name: self._flatten(volume, name, source, mask)
            for name, source in volume.contrasts.sources.items()
        }
        return changed(volume, contrasts=sources)

    def _flatten(self, volume, name, source, mask):
        voxels = volume.contrasts[name]
        if np.isnan(voxels).all():
            return source
        log_field, affine = log_bias_field(voxels, volume.affine, mask)
        return Flattened(source, log_field, np.linalg.solve(affine, volume.affine))


@one_thread()
def log_bias_field(voxels, affine, mask=None):
    """Logarithm of the bias field of an image, with N4 on a coarse grid.

    Parameters
    ----------
    voxels : float array of shape (nx, ny, nz)
    affine : array of shape (4, 4)
    mask : bool array of shape (nx, ny, nz), default=None
        Where it is estimated; its mean is 0 there. None finds the head with Otsu's threshold.

    Returns
    -------
    log_field : float32 array of a coarser shape
    affine : array of shape (4, 4)
        Of its grid.
    """
    sitk = load_simpleitk()
    image = to_itk(voxels, affine)
    inside = sitk.OtsuThreshold(image, 0, 1, 200) if mask is None else to_itk(mask, affine)
    factors = [
        int(np.clip(COARSE // spacing, 1, max(1, n // 8)))
        for spacing, n in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]
    image, inside = sitk.Shrink(image, factors), sitk.Shrink(inside, factors)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(N_ITERATIONS)
    with itk_errors("find the bias field"):
        corrector.Execute(image, inside)
    log_field = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image)).transpose()
    known = sitk.GetArrayFromImage(inside).transpose() > 0
    return (log_field - log_field[known].mean()).astype(np.float32), _affine_of(image)


def _affine_of(image):
    placed = np.eye(4)
    placed[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    placed[:3, 3] = image.GetOrigin()
    return TO_ITK @ placed
