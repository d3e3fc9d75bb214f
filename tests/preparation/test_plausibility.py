"""Brain masks that cannot be right are told: size, pieces, place."""

import numpy as np
import pytest

from skad.preparation import mask_warnings

SHAPE, AFFINE = (44, 52, 48), np.diag([4.0, 4.0, 4.0, 1.0])


def ball(radius, center=(22, 26, 24)):
    """Voxels within a radius, voxels, of a center."""
    return ((np.indices(SHAPE) - np.reshape(center, (3, 1, 1, 1))) ** 2).sum(axis=0) < radius**2


HEAD = 100.0 * ball(21)
BRAIN = ball(17)  # 4/3 pi (68 mm)^3 = 1317 mL


def test_a_brain_inside_a_head_is_plausible():
    assert mask_warnings(BRAIN, HEAD, AFFINE) == []


@pytest.mark.parametrize("radius", [9, 20.5], ids=["195 mL", "2309 mL"])
def test_a_brain_of_another_size_is_told_with_its_volume(radius):
    (warning,) = mask_warnings(ball(radius), HEAD, AFFINE)
    assert f"{ball(radius).sum() * 0.064:.0f} mL" in warning


def test_a_slab_may_hold_less_than_a_whole_brain():
    slab = np.s_[:, :, 20:26]
    assert mask_warnings(BRAIN[slab], HEAD[slab], AFFINE) == []


def test_a_mask_beside_the_head_is_told():
    beside = np.roll(BRAIN, 12, axis=1)
    (warning,) = mask_warnings(beside, HEAD, AFFINE)
    assert "outside the head" in warning


def test_a_mask_in_pieces_is_told():
    mask = ball(13, (15, 26, 24)) & ball(21)
    mask |= ball(13, (36, 26, 24)) & ball(21)
    mask[21:24] = False
    assert any("pieces" in warning for warning in mask_warnings(mask, HEAD, AFFINE))


def test_an_empty_mask_is_told():
    assert mask_warnings(np.zeros(SHAPE, bool), HEAD, AFFINE) == ["brain mask: empty"]
