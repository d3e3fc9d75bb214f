"""Planted lesions: known masks, nothing changed elsewhere, seeded, of the sizes asked for."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from skad.synthetic import (
    Blobs,
    Deformations,
    ForeignPatches,
    InSomeContrasts,
    Lesions,
    LostStructure,
    plant_families,
)
from skad.synthetic.placement import draw_shapes

SMALL = Blobs(radius=(1.0, 4.0), n_lesions=(1, 8))
FAMILIES = [
    Blobs(),
    SMALL,
    ForeignPatches(),
    Deformations(),
    LostStructure(),
    InSomeContrasts(Blobs()),
    Lesions(),
]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: repr(family))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _slices(n=4, n_contrasts=2, height=48, width=40, seed=0):
    """Slices with structure, and an elliptic foreground that leaves a margin of background at -9."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    foreground = (x.square() + y.square() < 0.8).expand(n, 1, height, width)
    images = torch.randn(n, n_contrasts, height, width, generator=generator)
    return torch.where(foreground, images, -9.0), foreground


@each_family
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 4),
    n_contrasts=st.integers(1, 3),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
@settings(max_examples=15, deadline=None)
def test_images_change_only_where_the_mask_is_not_zero(family, seed, n, n_contrasts, size):
    torch.manual_seed(seed)
    images, foreground = torch.randn(n, n_contrasts, *size), torch.rand(n, 1, *size) < 0.8
    planted, mask = family.plant(images.clone(), foreground)
    assert planted.shape == images.shape
    assert mask.shape == foreground.shape
    assert torch.isfinite(planted).all()
    assert ((mask >= 0) & (mask <= 1)).all()
    assert not mask[~foreground].any()
    untouched = (mask == 0).expand_as(images)
    assert torch.equal(planted[untouched], images[untouched])


@each_family
def test_planting_leaves_its_input_as_it_was(family):
    images, foreground = _slices()
    before = images.clone()
    family.plant(images, foreground)
    assert torch.equal(images, before)


@each_family
def test_lesions_can_be_seen_in_every_slice(family):
    images, foreground = _slices(n=8)
    torch.manual_seed(1)
    planted, mask = family.plant(images, foreground)
    changed = (planted != images).any(dim=1, keepdim=True)
    assert changed.flatten(1).any(dim=1).all()
    assert mask.flatten(1).amax(dim=1).min() > 0.5


@each_family
def test_same_seed_plants_the_same_and_another_seed_another(family):
    images, foreground = _slices()
    results = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        results.append(family.plant(images, foreground))
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])
    assert not torch.equal(results[0][1], results[2][1])


@each_family
def test_background_never_enters_the_tissue(family):
    images, foreground = _slices(n=16)
    images = torch.where(foreground, images, -1000.0)
    torch.manual_seed(5)
    planted, _ = family.plant(images, foreground)
    assert planted[foreground.expand_as(images)].min() > -50


@each_family
def test_slices_without_foreground_stay_as_they_are(family):
    images, foreground = torch.randn(3, 2, 12, 9), torch.zeros(3, 1, 12, 9, dtype=torch.bool)
    planted, mask = family.plant(images, foreground)
    assert torch.equal(planted, images)
    assert not mask.any()


def _areas(radius, size, n):
    """Area of each drawn shape at half height, without warp and far from any border."""
    foreground = torch.zeros(n, 1, size, size, dtype=torch.bool)
    foreground[:, :, size // 2, size // 2] = True
    torch.manual_seed(0)
    shapes = draw_shapes(foreground, radius=radius, warp=0.0, edge=(1.0, 1.0))
    return (shapes.distance < 1).sum((1, 2, 3)).double()


def test_radii_are_log_uniform_in_pixels_at_128():
    radii = (_areas((4.0, 16.0), 128, n=400) / math.pi).sqrt()
    assert stats.kstest(radii.numpy(), stats.loguniform(4.0, 16.0).cdf).pvalue > 0.001


def test_lesions_grow_with_the_image():
    small, large = _areas((6.0, 6.0), 64, n=100), _areas((6.0, 6.0), 128, n=100)
    assert small.mean() == pytest.approx(math.pi * 3**2, rel=0.03)
    assert large.mean() == pytest.approx(math.pi * 6**2, rel=0.03)


def test_a_lesion_of_radius_one_is_a_few_pixels():
    images, foreground = torch.zeros(200, 1, 128, 128), torch.ones(200, 1, 128, 128, dtype=torch.bool)
    torch.manual_seed(0)
    _, mask = Blobs(radius=(1.0, 1.0), n_lesions=(1, 1)).plant(images, foreground)
    areas = (mask > 0.5).sum((1, 2, 3))
    assert 1 <= areas.min() and areas.max() <= 12


def test_centers_are_uniform_over_the_foreground():
    foreground = torch.zeros(4000, 1, 6, 5, dtype=torch.bool)
    foreground[:, 0, 1:3, 2:4] = True
    torch.manual_seed(0)
    offsets = draw_shapes(foreground, radius=(1.0, 1.0)).offset
    center = (offsets.abs().sum(-1) == 0).flatten(1).double().argmax(dim=1)
    counts = torch.bincount(center, minlength=30).view(6, 5)
    assert (counts > 0).equal(foreground[0, 0])
    assert stats.chisquare(counts[1:3, 2:4].flatten()).pvalue > 0.001


def test_mask_falls_from_one_to_zero_over_the_edge():
    foreground = torch.zeros(1, 1, 128, 128, dtype=torch.bool)
    foreground[0, 0, 64, 64] = True
    shapes = draw_shapes(foreground, radius=(20.0, 20.0), warp=0.0, edge=(3.0, 3.0))
    full = torch.ones_like(foreground)
    soft = draw_shapes(full, radius=(20.0, 20.0), warp=0.0, edge=(3.0, 3.0))
    depth = 20 * (1 - soft.distance)
    torch.testing.assert_close(soft.mask, (0.5 + depth / 3).clamp(0, 1), rtol=0, atol=1e-5)
    assert shapes.mask.sum() == 1  # cut off at the foreground


def test_blobs_hold_as_many_lesions_as_asked():
    images, foreground = torch.zeros(60, 1, 160, 160), torch.ones(60, 1, 160, 160, dtype=torch.bool)
    torch.manual_seed(0)
    _, mask = Blobs(radius=(1.0, 1.5), n_lesions=(2, 4), warp=0.0).plant(images, foreground)
    counts = np.array([ndimage.label(m[0].numpy() > 0.4, np.ones((3, 3)))[1] for m in mask])
    assert set(counts) <= {1, 2, 3, 4}  # two may touch
    assert set(counts) >= {2, 3, 4}


def test_largest_shift_of_a_blob_lies_in_its_range():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(300, 3, 8, 8, generator=generator) * torch.tensor([1.0, 10.0, 100.0])[:, None, None]
    foreground = torch.ones(300, 1, 8, 8, dtype=torch.bool)
    family = Blobs(radius=(40.0, 40.0), n_lesions=(1, 1), shift=(0.5, 2.0), structure=(1.0, 1.0), texture=0.0)
    torch.manual_seed(0)
    planted, mask = family.plant(images, foreground)
    inside = mask == 1
    shifts = ((planted - images) * inside).sum((2, 3)) / inside.sum((2, 3)).clamp(min=1)
    shifts = (shifts / images.std((2, 3), correction=0))[inside.flatten(1).any(1)]
    largest = shifts.abs().amax(dim=1)
    assert 0.49 < largest.min() < 0.6 and 1.9 < largest.max() < 2.01
    assert (shifts > 0).any(dim=0).all() and (shifts < 0).any(dim=0).all()


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_each_contrast_shows_the_lesion_with_the_share_asked_for(share):
    images, foreground = torch.zeros(4000, 3, 1, 1), torch.ones(4000, 1, 1, 1, dtype=torch.bool)
    planted, mask = InSomeContrasts(_Stamp(1), share=share).plant(images, foreground)
    shown = planted[:, :, 0, 0].bool()
    assert shown.any(dim=1).all() and mask.all()
    none_drawn = (1 - share) ** 3  # then one of the three is taken
    expected = share + none_drawn / 3
    assert shown.double().mean(dim=0).tolist() == pytest.approx([expected] * 3, abs=4 / (2 * 4000**0.5))


def test_only_the_contrasts_asked_for_show_the_lesion():
    images, foreground = _slices(n=3, n_contrasts=3)
    planted, mask = InSomeContrasts(_Stamp(1), contrasts=[2, 0]).plant(images, foreground)
    expected, expected_mask = _Stamp(1).plant(images[:, [2, 0]], foreground)
    assert torch.equal(planted[:, [2, 0]], expected)
    assert torch.equal(planted[:, 1], images[:, 1])
    assert torch.equal(mask, expected_mask)


def test_structure_of_a_blob_is_the_fraction_asked_for():
    images, foreground = _slices(n=20, height=64, width=64)
    family = Blobs(radius=(20.0, 20.0), n_lesions=(1, 1), structure=(0.3, 0.3), texture=0.0)
    torch.manual_seed(0)
    planted, mask = family.plant(images, foreground)
    for before, after, inside in zip(images, planted, mask[:, 0] == 1, strict=True):
        assert (after[:, inside].std(dim=1) / before[:, inside].std(dim=1)).tolist() == pytest.approx(
            [0.3, 0.3]
        )


def test_foreign_patches_are_copies_of_another_slice():
    images, foreground = _slices(n=5)
    images = images + 100 * torch.arange(5.0)[:, None, None, None]
    torch.manual_seed(0)
    planted, mask = ForeignPatches(opacity=(1.0, 1.0), reach=0.1).plant(images, foreground)
    for i in range(5):
        inside = (mask[i, 0] == 1).nonzero()
        donor = round(float(planted[i, 0][mask[i, 0] == 1].mean()) / 100)
        assert donor != i
        values = planted[i, :, inside[:, 0], inside[:, 1]].T
        assert all((images[donor] == value[:, None, None]).all(dim=0).any() for value in values)


def test_opacity_is_the_share_of_the_foreign_tissue():
    images, foreground = torch.zeros(2, 1, 32, 32), torch.ones(2, 1, 32, 32, dtype=torch.bool)
    images[1] = 1.0
    planted, mask = ForeignPatches(opacity=(0.7, 0.7)).plant(images, foreground)
    torch.testing.assert_close(planted[0], 0.7 * mask[0])
    torch.testing.assert_close(planted[1], 1 - 0.7 * mask[1])


def test_deformation_moves_a_ramp_by_the_stated_law():
    height, width, strength = 64, 80, 0.5
    ramp = torch.arange(float(width)).expand(6, 1, height, width).contiguous()
    foreground = torch.zeros(6, 1, height, width, dtype=torch.bool)
    foreground[:, :, 20:44, 28:52] = True
    torch.manual_seed(0)
    family = Deformations(radius=(10.0, 10.0), strength=(strength, strength))
    planted, mask = family.plant(ramp, torch.ones_like(foreground))
    torch.manual_seed(0)
    shape = draw_shapes(torch.ones_like(foreground), radius=(10.0, 10.0))
    law = strength * (1 - shape.distance.square()).clamp(min=0).square() * shape.offset[..., 0][:, None]
    moved = planted - ramp
    inner = (mask > 0) & ((ramp + law.abs() < width - 1) & (ramp - law.abs() > 0))
    torch.testing.assert_close(moved.abs()[inner], law.abs()[inner], rtol=1e-3, atol=1e-3)


def test_deformation_keeps_to_the_values_of_the_tissue():
    images, foreground = _slices(n=10)
    planted, _ = Deformations().plant(images, foreground)
    tissue = images[foreground.expand_as(images)]
    assert planted[foreground.expand_as(images)].max() <= tissue.max() + 1e-4
    assert planted[foreground.expand_as(images)].min() >= tissue.min() - 1e-2


def test_lost_structure_is_a_blur_inside_the_foreground():
    images, foreground = torch.randn(3, 2, 128, 128), torch.rand(3, 1, 128, 128) < 0.7
    planted, mask = LostStructure(sigma=(2.0, 2.0)).plant(images, foreground)
    inside = foreground.numpy()
    blur = {"sigma": (0, 0, 2.0, 2.0), "radius": (0, 0, 6, 6), "mode": "constant"}
    weight = ndimage.gaussian_filter(inside.astype(float), **blur)
    blurred = ndimage.gaussian_filter(images.numpy() * inside, **blur) / weight
    full = (mask == 1).expand_as(images)
    assert full.any()
    np.testing.assert_allclose(planted[full], blurred[full.numpy()], rtol=0, atol=1e-4)


def test_a_mixture_plants_every_family_and_leaves_the_clean_share():
    n = 2000
    images, foreground = torch.zeros(n, 1, 4, 5), torch.ones(n, 1, 4, 5, dtype=torch.bool)
    torch.manual_seed(0)
    planted, _ = plant_families([_Stamp(1), _Stamp(2), _Stamp(2)], images, foreground, clean_share=0.2)
    counts = torch.bincount(planted[:, 0, 0, 0].long(), minlength=3)
    expected = n * torch.tensor([0.2, 0.8 / 3, 1.6 / 3])
    assert stats.chisquare(counts, expected, sum_check=False).pvalue > 0.001


def test_a_mixture_keeps_the_order_of_the_slices():
    images = torch.arange(50.0, 100.0)[:, None, None, None].expand(50, 1, 2, 3)
    planted, mask = plant_families([_Stamp(1), Blobs()], images, torch.zeros(50, 1, 2, 3, dtype=torch.bool))
    stamped = planted[:, 0, 0, 0] == 1
    assert torch.equal(mask[:, 0, 0, 0] == 1, stamped)
    assert torch.equal(planted[~stamped], images[~stamped])


class _Stamp:
    """A family that fills whole slices with one value."""

    def __init__(self, value):
        self.value = value

    def plant(self, images, foreground):
        return torch.full_like(images, self.value), torch.ones_like(images[:, :1])


@pytest.mark.parametrize("radius", [(0.0, 3.0), (4.0, 3.0), (-1.0, 2.0)])
def test_a_radius_that_cannot_be_is_refused(radius):
    with pytest.raises(ValueError, match=r"radius should be \(smallest, largest\)"):
        Blobs(radius=radius).plant(*_slices())
    with pytest.raises(ValueError, match="n_lesions should be"):
        Blobs(n_lesions=(3, 2)).plant(*_slices())


def test_signs_say_in_which_contrasts_lesions_are_brighter_or_darker():
    images = torch.zeros(200, 3, 24, 24)
    images[:, :, ::2] = 1.0
    foreground = torch.ones(200, 1, 24, 24, dtype=torch.bool)
    planted, mask = Blobs(signs=(-1, 1, 0), texture=0.0, structure=(1.0, 1.0)).plant(images, foreground)
    core = mask == 1
    change = ((planted - images) * core).sum((2, 3)) / core.sum((2, 3)).clamp(min=1)
    change = change[core.flatten(1).any(1)]
    assert (change[:, 0] < 0).all() and (change[:, 1] > 0).all()
    assert (change[:, 2] < 0).any() and (change[:, 2] > 0).any()


@pytest.mark.parametrize("signs", [(1, 0), (1, 0, 2)])
def test_signs_are_one_for_each_contrast(signs):
    images, foreground = _slices(n_contrasts=3)
    with pytest.raises(ValueError, match="-1, 0 or 1 for each of the 3 contrasts"):
        Blobs(signs=signs).plant(images, foreground)
