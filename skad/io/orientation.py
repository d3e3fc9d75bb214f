"""How a grid lies in the patient: which stored axis runs where."""

import nibabel.orientations as orientations
import numpy as np
from numpy.typing import ArrayLike


def axes_towards(affine: ArrayLike, codes: str) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Permutation and flips that orient the axes of a stored array along `codes`.

    Parameters
    ----------
    affine : array of shape (4, 4)
        Voxel indices to mm. An oblique axis counts as the closest anatomical axis.
    codes : str
        Anatomical directions of the three axes, for example "SPL": the first axis towards superior, the
        second towards posterior, the third towards left.

    Returns
    -------
    order : tuple of 3 int
        Stored axis that becomes axis 0, 1, 2.
    flipped : tuple of 3 bool
        Whether the new axis runs against the stored one.

    See Also
    --------
    skad.preprocessing.VolumePreprocessor : Reorients volumes to axial slices.

    Examples
    --------
    >>> import numpy as np
    >>> axes_towards(np.diag([-1, -1, 5, 1]), "SPL")
    ((2, 1, 0), (False, False, False))
    """
    stored = orientations.io_orientation(np.asarray(affine))
    wanted = orientations.axcodes2ornt(codes)
    moves = orientations.ornt_transform(stored, wanted)
    order = np.argsort(moves[:, 0])
    return tuple(int(axis) for axis in order), tuple(bool(moves[axis, 1] < 0) for axis in order)
