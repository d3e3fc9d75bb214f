"""Arrays with an affine to SimpleITK images, and the motion between two of them."""

import contextlib
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from skad.utils.optional import import_extra

# NIfTI counts mm towards right, anterior, superior; ITK towards left, posterior, superior.
TO_ITK = np.diag([-1.0, -1.0, 1.0, 1.0])

BLUR = (4.0, 2.0, 0.0)  # mm, from the first level to the last; (we) for adult heads
N_BINS = 50  # of the joint histogram (Mattes et al. 2003)
N_SAMPLES = 20_000  # voxels per evaluation: more change the result by less than interpolation does (we)
N_ITERATIONS = 100  # per level; most levels stop before


def load_simpleitk():
    """The SimpleITK module.

    Raises
    ------
    ImportError
        Names the extra that brings it.
    """
    return import_extra(
        "SimpleITK",
        "skad.preparation needs SimpleITK, which is not installed: pip install 'skad[prepare]' (in a clone: "
        "pip install -e '.[prepare]').",
    )


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let SimpleITK sum in a fixed order, so that equal scans give equal results.

    The number of threads of a registration method does not reach its metric; that of the process does.
    """
    process = load_simpleitk().ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads()
    process.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        process.SetGlobalDefaultNumberOfThreads(before)


@contextlib.contextmanager
def itk_errors(task: str) -> Iterator[None]:
    """Errors of SimpleITK, many lines with places in its own source, as a ValueError of one sentence."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].rpartition("ERROR: ")[2].rstrip(".")
        raise ValueError(
            f"SimpleITK could not {task} ({reason}): check that both show the same head and overlap."
        ) from error


def to_itk(array, affine):
    """A SimpleITK image of a 3-D array; NaN becomes 0.

    Parameters
    ----------
    array : array of shape (nx, ny, nz)
        bool becomes uint8, all else float32.
    affine : array of shape (4, 4)
        Voxel indices to mm, as NIfTI has it.
    """
    kind = np.uint8 if array.dtype == bool else np.float32
    values = np.nan_to_num(np.asarray(array, dtype=kind), posinf=0, neginf=0)
    image = load_simpleitk().GetImageFromArray(values.transpose())
    placed = TO_ITK @ affine
    spacing = np.linalg.norm(placed[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((placed[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(placed[:3, 3].tolist())
    return image


@one_thread()
def find_motion(fixed, moving, *, motion, mask=None, starts=None):
    """The motion that makes a moving image most informative about a fixed one.

    Maximizes the mutual information of Mattes et al. (2003), estimated from `N_SAMPLES` voxels of the fixed
    image, by gradient descent from coarse to fine. Equal images give equal motions.

    Parameters
    ----------
    fixed, moving : pair of array of shape (nx, ny, nz) and its affine
    motion : {"rigid", "affine"}
        6 degrees of freedom, or then 12.
    mask : bool array of the fixed image's shape, default=None
        Where the images are compared; None means everywhere.
    starts : list of array of shape (4, 4), default=None
        Where to begin: the one with the most information is taken. None is the headers' word.

    Returns
    -------
    array of shape (4, 4)
        Points of the fixed image to points of the moving image, both mm in NIfTI's axes.

    References
    ----------
    Mattes, Haynor, Vesselle, Lewellen, Eubank (2003). PET-CT image registration in the chest using free-form
    deformations. IEEE Trans. Med. Imaging 22(1).
    """
    sitk = load_simpleitk()
    images = [sitk.Cast(to_itk(*image), sitk.sitkFloat32) for image in (fixed, moving)]
    method = _method(sitk, images[0].GetNumberOfPixels() if mask is None else int(mask.sum()))
    if mask is not None:
        method.SetMetricFixedMask(to_itk(mask, fixed[1]))
    best = _most_informative(sitk, method, images, starts or [np.eye(4)])
    center = TO_ITK[:3, :3] @ center_of(fixed[0] if mask is None else mask, fixed[1])
    for kind in ("rigid", "affine")[: 1 if motion == "rigid" else 2]:
        best = best @ _descend(sitk, method, images, kind, best, center)
    return best


def _descend(sitk, method, images, motion, start, center):
    """What a motion of 6 or 12 degrees of freedom about `center` adds to `start`, of shape (4, 4)."""
    found = sitk.AffineTransform(3) if motion == "affine" else sitk.Euler3DTransform()
    found.SetCenter(center.tolist())
    method.SetMovingInitialTransform(_to_transform(sitk, start))
    method.SetInitialTransform(found, inPlace=True)
    method.SetShrinkFactorsPerLevel([1] * len(BLUR))  # thick slices have no voxel to spare
    method.SetSmoothingSigmasPerLevel(BLUR)
    with itk_errors("align the images"):
        method.Execute(*images)
    return _to_matrix(found)


def center_of(array, affine):
    """Center of mass of an image's intensities or of a mask, mm."""
    weights = np.clip(np.nan_to_num(array, posinf=0, neginf=0), 0, None)
    return (affine @ [*ndimage.center_of_mass(weights), 1.0])[:3]


def _method(sitk, n_voxels):
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(N_BINS)
    if n_voxels > N_SAMPLES:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(N_SAMPLES / n_voxels, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=1e-2, numberOfIterations=N_ITERATIONS, gradientMagnitudeTolerance=1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    return method


def _most_informative(sitk, method, images, starts):
    if len(starts) == 1:
        return starts[0]
    values = []
    for start in starts:
        method.SetInitialTransform(_to_transform(sitk, start))
        with itk_errors("compare the images"):
            values.append(method.MetricEvaluate(*images))
    return starts[int(np.argmin(values))]


def _to_transform(sitk, matrix):
    matrix = TO_ITK @ matrix @ TO_ITK
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def _to_matrix(transform):
    """A linear transform of SimpleITK as a matrix of shape (4, 4) in NIfTI's axes."""
    points = np.vstack([np.zeros(3), np.eye(3)])
    moved = np.array([transform.TransformPoint(point.tolist()) for point in points])
    matrix = np.eye(4)
    matrix[:3, :3] = (moved[1:] - moved[0]).T
    matrix[:3, 3] = moved[0]
    return TO_ITK @ matrix @ TO_ITK
