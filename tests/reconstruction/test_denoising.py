"""Coarse noise and its removal."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from skad.reconstruction.denoising import DenoisingReconstructor, coarse_noise


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _smooth_images(n=24, seed=0):
    """Slices of two contrasts that share their structure, with different units and a margin of background."""
    fields = gaussian_filter(np.random.default_rng(seed).normal(size=(n, 1, 24, 28)), (0, 0, 3, 3))
    fields /= fields.std()
    X = np.concatenate([fields, 50 + 10 * fields], axis=1).astype(np.float32)
    X[:, :, :2] = np.nan
    return X


def test_noise_is_independent_between_images_and_contrasts():
    noise = coarse_noise(torch.empty(2, 3, 128, 120), 16).flatten(0, 1).flatten(1)
    correlation = torch.corrcoef(noise) - torch.eye(6)
    assert correlation.abs().max() < 0.25
    assert noise.mean().abs() < 0.05


def test_noise_has_unit_variance_on_its_grid_and_less_between():
    noise = coarse_noise(torch.empty(300, 1, 33, 41), 8)
    assert noise.square().mean() == pytest.approx(4 / 9, rel=0.05)  # of bilinear weights: (2/3)^2


def test_noise_is_coarse():
    noise = coarse_noise(torch.empty(40, 1, 128, 128), 16)[:, 0]
    near = (noise[:, :, 1:] * noise[:, :, :-1]).mean() / noise.square().mean()
    far = (noise[:, :, 20:] * noise[:, :, :-20]).mean() / noise.square().mean()
    assert near > 0.95
    assert far.abs() < 0.1


def test_noise_lies_at_a_place_of_its_own_in_every_image():
    noise = coarse_noise(torch.empty(200, 1, 2, 64), 4)[:, 0, 0]
    bends = (noise[:, 2:] - 2 * noise[:, 1:-1] + noise[:, :-2]).abs()
    places = torch.bincount(bends.argmax(dim=1) % 16, minlength=16)  # a bend every 16 pixels
    assert (places > 0).all()


class _Silent:
    """A network that corrects nothing, and keeps what it was given."""

    def __call__(self, images):
        self.seen = images
        return torch.zeros_like(images)


@pytest.fixture
def model():
    """Two contrasts of which the second has ten times the spread."""
    model = DenoisingReconstructor(noise_sigma=0.5, noise_cells=8)
    model.scale_ = np.array([1.0, 10.0], dtype=np.float32)
    return model


def test_network_sees_noise_in_the_foreground_only_in_standard_deviations(model):
    network, foreground = _Silent(), torch.rand(40, 1, 33, 41) < 0.6
    model._loss(network, torch.zeros(40, 2, 33, 41), foreground)
    inside = foreground.expand(40, 2, 33, 41)
    assert not network.seen[~inside].any()
    assert network.seen[inside].square().mean().sqrt() == pytest.approx(0.5 * 2 / 3, rel=0.05)


@pytest.mark.parametrize(("loss", "power"), [("l1", 1), ("l2", 2)])
def test_loss_is_what_is_left_of_the_noise_over_the_foreground(model, loss, power):
    network, foreground = _Silent(), torch.rand(3, 1, 7, 5) < 0.6
    value = model.set_params(loss=loss)._loss(network, torch.zeros(3, 2, 7, 5), foreground)["loss"]
    left = network.seen[foreground.expand(3, 2, 7, 5)].double().abs() ** power
    assert float(value) == pytest.approx(float(left.mean()), rel=1e-5)


def test_reference_is_the_image_plus_the_correction_in_standard_deviations(model):
    images = torch.randn(3, 2, 7, 5)
    reference = model._denoise(lambda scaled: scaled + 1, images)
    expected = 2 * images + torch.tensor([1.0, 10.0])[:, None, None]
    torch.testing.assert_close(reference, expected)


def test_scale_is_the_standard_deviation_of_the_foreground():
    X = _smooth_images()
    model = DenoisingReconstructor(width=4, depth=1, max_epochs=1, random_state=0).fit(X)
    np.testing.assert_allclose(model.scale_, np.nanstd(X, axis=(0, 2, 3), dtype=np.float64), rtol=1e-4)


def test_it_removes_what_it_has_not_seen_in_normal_slices():
    X = _smooth_images(48)
    train, test = X[:40], X[40:].copy()
    test[:, 0, 8:14, 10:18] += 3.0
    model = DenoisingReconstructor(
        noise_cells=4, width=8, depth=2, max_epochs=40, batch_size=8, lr=1e-2, random_state=0
    ).fit(train)
    reference = model.reconstruct(test)
    before, after = (np.abs(image - X[40:])[:, 0, 8:14, 10:18].mean() for image in (test, reference))
    assert after < 0.6 * before
    assert model.loss_curve_[-1] < 0.7 * model.loss_curve_[0]


def test_units_of_the_contrasts_do_not_matter():
    X = _smooth_images()
    first = DenoisingReconstructor(width=4, depth=1, max_epochs=2, random_state=0).fit(X)
    second = DenoisingReconstructor(width=4, depth=1, max_epochs=2, random_state=0).fit(8 * X)
    np.testing.assert_allclose(second.reconstruct(8 * X), 8 * first.reconstruct(X), rtol=1e-4, atol=1e-3)
