"""Which scans a detector has learned from, without keeping anything of them that shows."""

import hashlib
from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skad.io import Volume
from skad.utils.documentation import DocumentationLinkMixin
from skad.utils.typing import IntArray

_BYTES = 16


class TrainingScans(DocumentationLinkMixin, BaseEstimator):
    """Salted digests of the training scans of a :class:`skad.VolumeAnomalyDetector`.

    A threshold calibrated on training patients guarantees nothing, so :class:`ConformalCalibrator` rejects
    scans whose digest is known here.

    Attributes
    ----------
    salt_ : str
        A digest of all training scans together, so that two detectors that share a patient have no digest in
        common.
    digests_ : uint8 ndarray of shape (n_images, 16)
        One digest per image, sorted.

    See Also
    --------
    skad.calibration.ConformalCalibrator : Refuses to calibrate on training scans.

    Notes
    -----
    A digest is of an image's voxels as they are read (BLAKE2), not of its header, compression or name. It
    tells somebody who has the image whether it was used for training, and nothing to anybody else. A copy
    that was resampled, reoriented or rescaled has another digest, and so has another scan of the patient.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.calibration import TrainingScans
    >>> from skad.datasets import make_phantom
    >>> first, second = make_phantom(n_subjects=2, shape=(20, 24, 8), random_state=0)
    >>> seen = TrainingScans().fit([first])
    >>> seen.holds(first), seen.holds(second)
    (True, False)
    """

    def fit(self, volumes: Sequence[Volume], y: object = None) -> Self:
        """Digest volumes.

        Parameters
        ----------
        volumes : sequence of Volume
        y : ignored

        Returns
        -------
        self
        """
        return self.fit_digests([digest for volume in volumes for digest in image_digests(volume)])

    def fit_digests(self, digests: Sequence[bytes]) -> Self:
        """As `fit`, from what `image_digests` gave of all volumes."""
        salt = hashlib.blake2b(b"".join(sorted(digests)), digest_size=_BYTES)
        self.salt_ = salt.hexdigest()
        self.digests_ = np.unique(self._salted(digests), axis=0)
        return self

    def holds(self, volume: Volume) -> bool:
        """Whether an image of a volume is one of the training scans."""
        check_is_fitted(self)
        known = {row.tobytes() for row in self.digests_}
        return any(row.tobytes() in known for row in self._salted(image_digests(volume)))

    def _salted(self, digests: Sequence[bytes]) -> IntArray:
        salt = bytes.fromhex(self.salt_)
        salted = [hashlib.blake2b(each, digest_size=_BYTES, salt=salt).digest() for each in digests]
        return np.frombuffer(b"".join(salted), dtype=np.uint8).reshape(len(salted), _BYTES)


def image_digests(volume: Volume) -> list[bytes]:
    """Digests of the images of a volume, without the missing ones, not salted.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    list of bytes
    """
    images = (volume.contrasts[name] for name in volume.contrasts)
    return [_digest(image) for image in images if not np.isnan(image).all()]


def _digest(image):
    content = np.ascontiguousarray(image, dtype="<f4") + np.float32(0)  # -0 and 0 are one voxel value
    return hashlib.blake2b(content, digest_size=_BYTES, key=str(image.shape).encode()).digest()
