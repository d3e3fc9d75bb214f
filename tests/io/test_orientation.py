import itertools

import nibabel
import numpy as np
import pytest

from skad.io import axes_towards

CODES = [
    "".join(signs)
    for axes in itertools.permutations(["LR", "AP", "IS"])
    for signs in itertools.product(*axes)
]


@pytest.mark.parametrize("stored", CODES)
def test_order_and_flips_bring_every_orientation_to_the_wanted_one(stored):
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4)), np.eye(4))
    turned = image.as_reoriented(
        nibabel.orientations.ornt_transform(
            nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(stored)
        )
    )
    order, flipped = axes_towards(turned.affine, "SPL")
    codes = np.array(nibabel.aff2axcodes(turned.affine))[list(order)]
    opposite = dict(zip("LRAPIS", "RLPASI", strict=True))
    assert "".join(opposite[c] if flip else c for c, flip in zip(codes, flipped, strict=True)) == "SPL"
