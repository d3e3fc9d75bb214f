"""Deep SVDD against its published rules: center, radius, both objectives, distances by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skorch.callbacks import Callback

from skad.nn.deep_svdd import HypersphereNetwork, one_class_loss, push_from_zero, soft_boundary_loss
from skad.scoring import DeepSVDDScorer
from skad.scoring.deep_svdd import soft_boundary_radius
from skad.training import checkpoint_in

FAST = {"n_features": 5, "width": 4, "depth": 2, "max_epochs": 2, "batch_size": 2, "random_state": 0}
SOFT = {"objective": "soft-boundary", "n_warmup_epochs": 1, "radius_interval": 2, "lr": 1e-2}


@pytest.fixture
def images():
    X = np.random.default_rng(0).normal(size=(5, 2, 9, 14)).astype(np.float32)
    X[:, :, :3, :5] = np.nan
    X[2] = np.nan
    return X


def foreground_rows(maps):
    rows = np.moveaxis(maps, 1, -1).reshape(-1, maps.shape[1])
    return rows[~np.isnan(rows[:, 0])].astype(np.float64)


def test_center_is_the_mean_of_the_first_pass_with_small_coordinates_pushed_to_a_tenth(images):
    scorer = DeepSVDDScorer(**FAST, lr=1e-12).fit(images)  # the weights stay those of the first pass
    mean = foreground_rows(scorer.transform(images)).mean(axis=0)
    expected = [value if abs(value) >= 0.1 else 0.1 if value >= 0 else -0.1 for value in mean]
    assert any(np.abs(mean) < 0.1) and any(np.abs(mean) > 0.1)
    np.testing.assert_allclose(scorer.center_, expected, atol=1e-5)


def test_small_coordinates_are_pushed_away_from_zero_on_their_side():
    center = torch.tensor([0.5, 0.09, 0.0, -0.01, -0.1, -3.0])
    expected = torch.tensor([0.5, 0.1, 0.1, -0.1, -0.1, -3.0])
    torch.testing.assert_close(push_from_zero(center), expected)


def test_center_of_a_linear_network_on_one_gray_value_is_known():
    X = np.full((2, 1, 3, 4), 2.0)
    scorer = DeepSVDDScorer(n_features=3, depth=1, max_epochs=1, lr=1e-12, random_state=0).fit(X)
    (kernel,) = scorer.module_.parameters()
    image_of_two = 2 * kernel.detach().numpy().sum(axis=(1, 2, 3))
    small = np.abs(image_of_two) < 0.1
    np.testing.assert_allclose(scorer.center_[~small], image_of_two[~small], rtol=1e-5)
    np.testing.assert_allclose(np.abs(scorer.center_[small]), 0.1, rtol=1e-6)
    expected = -((image_of_two - scorer.center_) ** 2).sum()
    np.testing.assert_allclose(scorer.score_samples(X), expected, rtol=1e-4, atol=1e-10)


def test_score_is_minus_the_squared_distance_from_the_center(images):
    scorer = DeepSVDDScorer(**FAST).fit(images)
    scores = scorer.score_samples(images)
    distances = ((foreground_rows(scorer.transform(images)) - scorer.center_) ** 2).sum(axis=1)
    np.testing.assert_allclose(scores[~np.isnan(scores)], -distances, rtol=1e-4)
    assert scorer.radius_ == 0


@pytest.mark.parametrize("nu", [0.05, 0.3, 1.0])
def test_soft_boundary_leaves_out_the_share_nu_of_the_training_pixels(images, nu):
    scorer = DeepSVDDScorer(**FAST, **SOFT, nu=nu).fit(images)
    distances = ((foreground_rows(scorer.transform(images)) - scorer.center_) ** 2).sum(axis=1)
    expected = np.sort(distances)[max(0, int(np.ceil((1 - nu) * len(distances))) - 1)]
    assert scorer.radius_**2 == pytest.approx(expected, rel=1e-4)
    scores = scorer.score_samples(images)
    np.testing.assert_allclose(scores[~np.isnan(scores)], expected - distances, rtol=1e-3, atol=1e-5)


@given(
    distances=hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 100)),
    nu=st.sampled_from([0.01, 0.1, 0.25, 0.5, 1.0]),
)
def test_no_other_radius_has_a_smaller_soft_boundary_objective(distances, nu):
    def objective(squared_radius):
        return squared_radius + np.maximum(0, distances - squared_radius).mean() / nu

    best = min(objective(candidate) for candidate in [0.0, *distances])  # piecewise linear: kinks suffice
    assert objective(soft_boundary_radius(distances, nu)) <= best + 1e-9


def test_objectives_by_hand():
    distances = torch.tensor([[[1.0, 5.0, 3.0, 99.0]]])
    foreground = torch.tensor([[[[True, True, True, False]]]])
    assert one_class_loss(distances, foreground).item() == pytest.approx((1 + 5 + 3) / 3)
    loss = soft_boundary_loss(distances, foreground, 2.0, nu=0.25)
    assert loss.item() == pytest.approx(2 + (0 + 3 + 1) / 3 / 0.25)


def test_weight_decay_is_half_lambda_times_the_squared_weights():
    scorer = DeepSVDDScorer(weight_decay=0.3)
    network = HypersphereNetwork(1, 2, width=2, depth=1)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = [p.detach().clone() for p in network.parameters()]
    adam = scorer._adam(network)["adam"]
    adam.step()
    for old, state in zip(before, adam.state.values(), strict=True):
        torch.testing.assert_close(state["exp_avg"], 0.1 * 0.3 * old)  # gradient of 0.3 / 2 |w|^2


def test_training_draws_the_pixels_to_the_center(images):
    curve = DeepSVDDScorer(**{**FAST, "max_epochs": 30}, lr=1e-2).fit(images).loss_curve_
    assert curve[-1] < 0.2 * curve[0]


def radii_in_training(images, monkeypatch, **settings):
    """Squared radius that each epoch trains with."""
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(net.module_.squared_radius.item())

    monkeypatch.setattr("copy.deepcopy", lambda value: value)  # keep this callback, not a copy
    DeepSVDDScorer(**{**FAST, **SOFT, **settings}, callbacks=[Watch()]).fit(images)
    return seen


def test_radius_is_zero_in_the_warm_up_and_changes_every_k_epochs(images, monkeypatch):
    radii = radii_in_training(images, monkeypatch, max_epochs=7, n_warmup_epochs=2, radius_interval=3)
    assert radii[:2] == [0, 0]
    assert radii[2] == radii[3] == radii[4] > 0
    assert radii[5] == radii[6] != radii[4]


def test_radius_stays_zero_to_the_end_of_the_warm_up(images, monkeypatch):
    radii = radii_in_training(images, monkeypatch, max_epochs=4, n_warmup_epochs=3, radius_interval=1)
    assert radii[:3] == [0, 0, 0]
    assert radii[3] > 0


def test_a_killed_soft_boundary_fit_resumes_with_its_radius(images, tmp_path):
    class Kill(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 4:
                raise KeyboardInterrupt

    settings = {**FAST, **SOFT, "max_epochs": 6}
    expected = DeepSVDDScorer(**settings).fit(images)
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        DeepSVDDScorer(**settings, callbacks=[Kill()]).fit(images)
    with checkpoint_in(tmp_path):
        resumed = DeepSVDDScorer(**settings).fit(images)
    assert resumed.radius_ == expected.radius_
    assert resumed.loss_curve_ == expected.loss_curve_


def test_a_warm_start_keeps_the_center(images):
    scorer = DeepSVDDScorer(**FAST, lr=1e-2).fit(images)
    before = scorer.center_
    scorer.set_params(warm_start=True, objective="soft-boundary").fit(images + 1)
    np.testing.assert_array_equal(scorer.center_, before)
    assert scorer.radius_ > 0


def test_no_constant_can_enter_the_network():
    network = HypersphereNetwork(2, 3, width=4, depth=3)
    images = torch.randn(2, 2, 10, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(3 * images), 3 * network(images))  # biases would break this
    assert all(p.dim() == 4 for p in network.parameters())


def test_a_pixels_features_see_the_field_that_the_depth_promises():
    network = HypersphereNetwork(1, 2, width=4, depth=3)
    image = torch.randn(1, 1, 31, 33, generator=torch.Generator().manual_seed(0), requires_grad=True)
    network(image)[0, :, 15, 16].sum().backward()
    rows, columns = image.grad[0, 0].nonzero().T
    assert (rows.min(), rows.max()) == (15 - 7, 15 + 7)
    assert (columns.min(), columns.max()) == (16 - 7, 16 + 7)
