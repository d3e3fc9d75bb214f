"""Geometric views: what moves, where to, and that labels move along."""

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from skad.augmentation import Geometry
from skad.training import seeded
from skad.utils.estimator_checks.data import make_check_images

STILL = {"flip": False}


def change(batch, seed=0, **params):
    with seeded(seed):
        return Geometry(**params)(*batch)


def only_scale_is(monkeypatch, value):
    """All draws of one kind at their largest."""
    monkeypatch.setattr("skad.augmentation.geometry._uniform", lambda n, like: torch.full((n,), value))


def test_without_amounts_nothing_changes(batch):
    images, foreground = change(batch, **STILL)
    assert torch.equal(images, batch[0]) and torch.equal(foreground, batch[1])


def test_flip_is_torchs_flip_of_about_half_the_slices(batch):
    images, foreground = change(batch)
    flipped = [not torch.equal(new, old) for new, old in zip(images, batch[0], strict=True)]
    for i in range(8):
        assert torch.equal(images[i], batch[0][i].flip(-1) if flipped[i] else batch[0][i])
        assert torch.equal(foreground[i], batch[1][i].flip(-1) if flipped[i] else batch[1][i])
    assert 0 < sum(flipped) < 8


def test_flips_half_of_many():
    images = torch.arange(2.0).expand(4000, 1, 1, 2)
    flipped, _ = change((images, torch.ones(4000, 1, 1, 2, dtype=torch.bool)))
    assert abs(flipped[:, 0, 0, 0].mean() - 0.5) < 0.03


def test_background_does_not_bleed_into_the_foreground(batch):
    _, foreground = batch
    images = torch.where(foreground, torch.tensor(2.0), torch.tensor(-1000.0)).expand(-1, 2, -1, -1)
    moved, kept = change((images, foreground), rotation=30, scaling=0.2, translation=0.1, **STILL)
    assert kept.any()
    torch.testing.assert_close(moved[kept.expand_as(moved)], torch.tensor(2.0).expand(int(kept.sum()) * 2))


def test_foreground_moves_with_the_image(batch, monkeypatch):
    only_scale_is(monkeypatch, 1.0)
    images, foreground = batch
    moved, kept = change(batch, translation=2 / 24, **STILL)  # 2 columns; 2/24 of the height is 1.67 rows
    columns = change((images[..., :20], foreground[..., :20]), translation=0.1, **STILL)  # 2 pixels both ways
    assert torch.equal(columns[1][:, :, :-2, :-2], foreground[..., 2:20, 2:20])
    inside = columns[1].expand_as(columns[0])
    expected = torch.zeros_like(columns[0])
    expected[..., :-2, :-2] = images[..., 2:20, 2:20]
    torch.testing.assert_close(columns[0][inside], expected[inside], atol=1e-4, rtol=1e-4)
    assert kept.sum() < foreground.sum()
    assert moved.shape == images.shape


@pytest.mark.parametrize(("rotation", "scaling"), [(90, 0.0), (30, 0.0), (0, 0.25), (20, 0.25)])
def test_affine_equals_scipys(monkeypatch, rotation, scaling):
    only_scale_is(monkeypatch, 1.0)
    image = make_check_images(1, 1)[0, 0]
    image = np.nan_to_num(image)
    everywhere = torch.ones(1, 1, *image.shape, dtype=torch.bool)
    moved, kept = change(
        (torch.from_numpy(image)[None, None], everywhere), rotation=rotation, scaling=scaling, **STILL
    )
    angle = np.deg2rad(rotation)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / (1 + scaling)
    center = (np.array(image.shape) - 1) / 2
    expected = affine_transform(image, matrix, offset=center - matrix @ center, order=1, mode="nearest")
    inside = kept[0, 0].numpy()
    assert inside.mean() > 0.6
    np.testing.assert_allclose(moved[0, 0].numpy()[inside], expected[inside], atol=1e-4)


def test_enlarging_makes_the_foreground_larger(batch, monkeypatch):
    _, foreground = batch
    small = foreground.clone()
    small[..., :6], small[..., -6:], small[..., :5, :], small[..., -5:, :] = False, False, False, False
    only_scale_is(monkeypatch, 1.0)
    _, kept = change((batch[0], small), scaling=0.2, **STILL)
    assert kept.sum() / small.sum() == pytest.approx(1.2**2, abs=0.15)


def test_rotation_is_uniform_between_its_ends(monkeypatch):
    angles = []
    monkeypatch.setattr(torch, "deg2rad", lambda angle: angles.append(angle) or torch.zeros_like(angle))
    change((torch.zeros(5000, 1, 3, 4), torch.ones(5000, 1, 3, 4, dtype=torch.bool)), rotation=10, **STILL)
    (angle,) = angles
    assert angle.abs().max() <= 10
    assert angle.std() == pytest.approx(20 / 12**0.5, rel=0.03)


@pytest.mark.parametrize("views", [{"flip": True}, {"flip": False, "rotation": 40.0, "scaling": 0.2}])
def test_labels_move_with_the_image(views):
    classes = torch.tensor([-1, 2, 5, 9])
    coarse = classes[torch.randint(0, 4, (16, 6, 5), generator=torch.Generator().manual_seed(0))]
    labels = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)
    foreground = torch.ones(16, 1, 24, 20, dtype=torch.bool)
    foreground[:, :, :5, :7] = False
    images = labels[:, None].float()  # the intensity of a pixel is its label
    moved, inside, found = change((images, foreground, labels), **views)
    distance = (moved[:, 0, :, :, None] - classes).abs()
    pure = inside[:, 0] & (distance.amin(dim=-1) < 1e-4)  # not between two labels
    assert pure.float().mean() > 0.2 and not torch.equal(moved, images)
    assert torch.equal(found[pure], classes[distance.argmin(dim=-1)][pure])
    assert (found[~inside[:, 0]] == -1).all()


def test_labels_do_not_change_what_happens_to_the_images(batch):
    images, foreground = batch
    labels = torch.zeros(8, 20, 24, dtype=torch.int64)
    pairs = torch.stack([images, -images], dim=1)
    expected, inside = change((pairs, foreground), rotation=30, scaling=0.2)
    moved, found, _ = change((pairs, foreground, labels), rotation=30, scaling=0.2)
    assert torch.equal(moved, expected) and torch.equal(found, inside)
