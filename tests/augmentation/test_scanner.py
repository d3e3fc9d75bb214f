"""Views of another scanner: each change alone, what is restored, and what pairs share."""

import pytest
import torch
from scipy import ndimage

from skad.augmentation import Scanner
from skad.training import seeded

NOTHING = {"tone": 0.0, "sharpness": (0.0, 0.0), "resolution": 0.0, "bias": 0.0, "ghosts": 0.0, "noise": 0.0}


@pytest.fixture
def batch(batch):
    """The slices that have foreground."""
    images, foreground = batch
    visible = foreground.flatten(1).any(1)
    return images[visible], foreground[visible]


def view(images, foreground, seed=0, **params):
    with seeded(seed):
        return Scanner(**NOTHING | params)(images, foreground)


def _inside(values, foreground):
    return values.movedim(1, 0)[:, foreground[:, 0]]


@pytest.mark.parametrize(
    "params",
    [
        {"tone": 1.0},
        {"sharpness": (1.0, 1.0)},
        {"resolution": 1.0},
        {"bias": 0.5},
        {"ghosts": 0.5},
        {"noise": 0.5},
    ],
    ids=lambda params: next(iter(params)),
)
def test_each_change_is_seen_and_mean_and_spread_are_restored(batch, params):
    images, foreground = batch
    changed = view(images, foreground, **params)
    for before, after, inside in zip(images, changed, foreground[:, 0], strict=True):
        before, after = before[:, inside], after[:, inside]
        assert (after - before).abs().amax(dim=1).min() > 1e-3
        torch.testing.assert_close(after.mean(1), before.mean(1), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(after.std(1), before.std(1), atol=1e-4, rtol=1e-3)


def test_without_any_change_the_images_stay(batch):
    images, foreground = batch
    torch.testing.assert_close(_inside(view(images, foreground), foreground), _inside(images, foreground))


def test_a_tone_curve_keeps_the_order_of_intensities(batch):
    images, foreground = batch
    changed = view(images, foreground, tone=1.0)
    for before, after, inside in zip(images[:, 0], changed[:, 0], foreground[:, 0], strict=True):
        in_order = after[inside][before[inside].argsort()]
        assert (in_order.diff() >= -1e-5).all()


def test_full_negative_sharpness_is_a_gaussian_blur_inside_the_foreground(batch):
    images, foreground = batch
    changed = view(images, foreground, sharpness=(-1.0, -1.0))
    image, inside = images[0, 0].double().numpy(), foreground[0, 0].numpy()
    centered = (image - image[inside].mean()) * inside
    blur = {"sigma": 1.0, "radius": 2, "mode": "constant"}
    blurred, share = (ndimage.gaussian_filter(each * 1.0, **blur)[inside] for each in (centered, inside))
    expected = torch.from_numpy(blurred / share)
    expected = (expected - expected.mean()) / expected.std()
    expected = expected * image[inside].std(ddof=1) + image[inside].mean()
    torch.testing.assert_close(changed[0, 0][foreground[0, 0]].double(), expected, atol=1e-3, rtol=1e-3)


def test_both_images_of_a_pair_change_alike(batch):
    images, foreground = batch
    pairs = torch.stack([images, images], dim=1)
    changed = view(pairs, foreground, tone=1.0, sharpness=(-1.0, 2.0), resolution=1.0, bias=0.3, ghosts=0.1)
    torch.testing.assert_close(changed[:, 0], changed[:, 1])


def test_final_factor_and_offset_are_in_standard_deviations(batch):
    images, foreground = batch
    images, foreground = images.repeat(100, 1, 1, 1), foreground.repeat(100, 1, 1, 1)
    changed = view(images, foreground, scaling=0.2, shift=0.3)
    inside = foreground.expand_as(images)
    count = inside.sum((2, 3))
    before, after = ((each * inside).sum((2, 3)) / count for each in (images, changed))
    spread = (((images - before[..., None, None]) * inside).square().sum((2, 3)) / count).sqrt()
    offsets = (after - before) / spread
    assert offsets.std().item() == pytest.approx(0.3, rel=0.1)


def test_values_of_the_background_never_enter(batch):
    images, foreground = batch
    params = {"sharpness": (-1.0, 2.0), "resolution": 1.0, "ghosts": 0.1, "tone": 0.5}
    other = torch.where(foreground, images, 100.0)
    changed, again = (view(each, foreground, **params) for each in (images, other))
    torch.testing.assert_close(_inside(changed, foreground), _inside(again, foreground))
