"""Random views of a batch: what changes, what must not."""

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform, gaussian_filter
from sklearn.utils._param_validation import InvalidParameterError

from skad.augmentation import Augmentation
from skad.nn.background import split_background
from skad.training import seeded
from skad.utils.estimator_checks.data import make_check_images

STILL = {"flip": False}


@pytest.fixture
def batch():
    """Filled images (8, 2, 20, 24) and their foreground."""
    return split_background(torch.from_numpy(make_check_images(8)), torch.tensor([-3.0, -4.0]))


def change(batch, seed=0, **params):
    with seeded(seed):
        return Augmentation(**params)(*batch)


def only_scale_is(monkeypatch, value):
    """All draws of one kind at their largest."""
    monkeypatch.setattr("skad.augmentation._uniform", lambda n, like: torch.full((n,), value))


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


def test_images_of_a_pair_change_alike(batch):
    images, foreground = batch
    pair = torch.stack([images, images], dim=1)
    params = {
        "rotation": 20,
        "scaling": 0.2,
        "translation": 0.1,
        "intensity_scaling": 0.3,
        "intensity_shift": 0.5,
        "gamma": 0.4,
        "sharpness": 1.5,
    }
    changed, _ = change((pair, foreground), **params)
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert not torch.equal(changed[:, 0], images)


def test_pair_and_image_see_the_same_view(batch):
    images, foreground = batch
    params = {"rotation": 20, "scaling": 0.2, "intensity_scaling": 0.3}
    single, _ = change(batch, **params)
    pair, _ = change((torch.stack([images, images], dim=1), foreground), **params)
    assert torch.equal(pair[:, 0], single)


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
    centre = (np.array(image.shape) - 1) / 2
    expected = affine_transform(image, matrix, offset=centre - matrix @ centre, order=1, mode="nearest")
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


def test_intensity_factors_are_lognormal_per_slice_and_contrast():
    images = torch.ones(3000, 2, 1, 1)
    changed, _ = change((images, torch.ones(3000, 1, 1, 1, dtype=torch.bool)), intensity_scaling=0.3, **STILL)
    logs = changed.flatten(1).log()
    torch.testing.assert_close(logs.mean(0), torch.zeros(2), atol=0.03, rtol=0)
    torch.testing.assert_close(logs.std(0), torch.full((2,), 0.3), atol=0.02, rtol=0)
    assert abs(torch.corrcoef(logs.T)[0, 1]) < 0.06


def test_shifts_are_normal_in_units_of_the_images():
    changed, _ = change(
        (torch.zeros(3000, 2, 1, 1), torch.ones(3000, 1, 1, 1, dtype=torch.bool)),
        intensity_shift=0.5,
        **STILL,
    )
    torch.testing.assert_close(changed.std(), torch.tensor(0.5), atol=0.02, rtol=0)


def _drawn(monkeypatch, name, value):
    """Every draw of a kind is this number."""
    monkeypatch.setattr(torch, name, lambda shape, device=None: torch.full(shape, float(value)))


@pytest.mark.parametrize(("drawn", "amount"), [(1.0, 1.5), (0.75, 0.75), (0.0, -1.0)])
def test_sharpness_adds_or_takes_away_what_a_gaussian_blur_removes(monkeypatch, batch, drawn, amount):
    images, foreground = batch
    _drawn(monkeypatch, "rand", drawn)
    changed, _ = change(batch, sharpness=1.5, **STILL)
    for i, c in np.ndindex(images.shape[:2]):
        inside = foreground[i, 0].numpy().astype(float)
        image = images[i, c].numpy().astype(float)
        blurred = gaussian_filter(image * inside, 1.0, mode="constant", truncate=3.0)
        blurred = blurred / np.maximum(gaussian_filter(inside, 1.0, mode="constant", truncate=3.0), 1e-9)
        expected = np.where(inside > 0, image + amount * (image - blurred), image)
        np.testing.assert_allclose(changed[i, c], expected, atol=1e-4)


def test_gamma_raises_the_foreground_to_a_power_between_its_ends(monkeypatch, batch):
    images, foreground = batch
    _drawn(monkeypatch, "randn", 1.0)
    changed, _ = change(batch, gamma=0.5, **STILL)
    for i, c in np.ndindex(images.shape[:2]):
        inside = foreground[i, 0]
        if not inside.any():
            continue
        values = images[i, c][inside].double()
        low, high = values.min(), values.max()
        expected = low + (high - low) * ((values - low) / (high - low)) ** np.exp(0.5)
        torch.testing.assert_close(changed[i, c][inside].double(), expected, atol=1e-4, rtol=0)
        assert torch.equal(changed[i, c][~inside], images[i, c][~inside])


def test_rotation_is_uniform_between_its_ends(monkeypatch):
    angles = []
    monkeypatch.setattr(torch, "deg2rad", lambda angle: angles.append(angle) or torch.zeros_like(angle))
    change((torch.zeros(5000, 1, 3, 4), torch.ones(5000, 1, 3, 4, dtype=torch.bool)), rotation=10, **STILL)
    (angle,) = angles
    assert angle.abs().max() <= 10
    assert angle.std() == pytest.approx(20 / 12**0.5, rel=0.03)


def test_same_seed_gives_the_same_view(batch):
    params = {"rotation": 20, "intensity_shift": 0.1}
    assert torch.equal(change(batch, **params)[0], change(batch, **params)[0])
    assert not torch.equal(change(batch, **params)[0], change(batch, seed=1, **params)[0])


def test_input_is_not_written(batch):
    before = batch[0].clone(), batch[1].clone()
    change(batch, rotation=20, scaling=0.1, intensity_scaling=0.3, intensity_shift=0.5)
    assert torch.equal(batch[0], before[0]) and torch.equal(batch[1], before[1])


@pytest.mark.parametrize(
    "bad", [{"rotation": -1}, {"scaling": 1.0}, {"flip": "yes"}, {"intensity_shift": None}, {"gamma": -1}]
)
def test_parameters_outside_their_domain_are_refused(batch, bad):
    with pytest.raises(InvalidParameterError, match=f"'{next(iter(bad))}' parameter of Augmentation"):
        change(batch, **bad)
