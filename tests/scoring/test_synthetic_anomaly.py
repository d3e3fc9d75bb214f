"""A network that learns from planted lesions: the lesson, the loss, and lesions it has not been shown."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from skad.augmentation import Augmentation, Geometry, Intensity
from skad.persistence import load, save
from skad.scoring.synthetic_anomaly import SyntheticAnomalyScorer
from skad.synthetic import Blobs, Deformations

FAST = {"width": 4, "depth": 1, "max_epochs": 1, "random_state": 0}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def images():
    X = np.random.default_rng(0).normal(size=(6, 2, 13, 10)).astype(np.float32)
    X[:, :, :3, :5] = np.nan
    return X


def test_lesions_are_planted_after_the_geometry_and_before_the_scanner(images):
    X, seen = np.abs(images) + 10, []

    class Watching(Blobs):
        def plant(self, images, foreground):
            seen.append(images.clone())
            return super().plant(images, foreground)

    views = Augmentation(Geometry(scaling=0.5), Intensity(scaling=5.0))
    SyntheticAnomalyScorer(families=[Watching()], augmentation=views, **FAST).fit(X)
    values = torch.cat([batch.flatten() for batch in seen])
    assert not torch.isin(values, torch.from_numpy(X)).all()  # interpolated
    assert values.max() <= np.nanmax(X)  # but not rescaled


def test_score_is_minus_the_logit(images):
    scorer = SyntheticAnomalyScorer(**FAST, flip_average=False).fit(images)
    filled = np.where(np.isnan(images), scorer.background_[:, None, None], images)
    with torch.no_grad():
        foreground = torch.from_numpy(~np.isnan(images).all(axis=1, keepdims=True))
        logits = scorer.module_(torch.from_numpy(filled), foreground)[:, 0].numpy()
    expected = np.where(np.isnan(images[:, 0]), np.nan, -logits)
    np.testing.assert_allclose(scorer.score_samples(images), expected, rtol=1e-4, atol=1e-5)


def test_averaged_scores_of_a_mirrored_slice_are_mirrored(images):
    scorer = SyntheticAnomalyScorer(**FAST).fit(images)
    scores = scorer.score_samples(np.ascontiguousarray(images[..., ::-1]))[..., ::-1]
    np.testing.assert_allclose(scores, scorer.score_samples(images), rtol=1e-4, atol=1e-5)
    scorer.set_params(flip_average=False)
    assert np.nanmax(np.abs(scorer.score_samples(images) - scores)) > 1e-3


def test_other_magnifications_are_averaged_into_the_score(images):
    scorer = SyntheticAnomalyScorer(**FAST).fit(images)
    plain = scorer.score_samples(images)
    averaged = scorer.set_params(zooms=(0.9, 1.1)).score_samples(images)
    np.testing.assert_array_equal(np.isnan(averaged), np.isnan(plain))
    inside = ~np.isnan(plain)
    assert np.corrcoef(averaged[inside], plain[inside])[0, 1] > 0.8
    assert np.abs(averaged - plain)[inside].max() > 1e-3


@pytest.mark.parametrize("zooms", [(0.9, 0.0), (-1.1,), ("0.9",), (float("nan"),)])
def test_magnifications_that_show_nothing_are_refused(images, zooms):
    with pytest.raises(ValueError, match="zooms should be positive numbers such as"):
        SyntheticAnomalyScorer(**FAST, zooms=zooms).fit(images)


def test_features_lead_to_the_score(images):
    scorer = SyntheticAnomalyScorer(**FAST, flip_average=False).fit(images)
    head = scorer.module_.unet.head
    weight, bias = (part.detach().numpy() for part in (head.weight[0, :, 0, 0], head.bias))
    logits = np.einsum("f,nfhw->nhw", weight, scorer.transform(images)) + bias
    np.testing.assert_allclose(scorer.score_samples(images), -logits, rtol=1e-4, atol=1e-5)


def _squares(X, shift, size=6):
    """Square lesions, which no family plants, of one contrast."""
    X, y = X.copy(), np.zeros((len(X), *X.shape[2:]), dtype=int)
    for i in range(len(X)):
        row, column = 4 + 3 * (i % 5), 5 + 4 * (i % 4)
        y[i, row : row + size, column : column + size] = 1
    X[:, 0] += shift * y
    return X, y


@pytest.mark.parametrize("pairs", [False, True])
def test_it_finds_lesions_it_has_not_been_shown(pairs):
    generator = np.random.default_rng(0)
    smooth = np.kron(generator.normal(size=(48, 2, 7, 8)), np.ones((4, 4))).astype(np.float32)
    X = smooth + 0.1 * generator.normal(size=smooth.shape).astype(np.float32)
    planted, y = _squares(X[24:], 3.0)
    train, test = X[:24], planted
    if pairs:
        train, test = np.stack([train, smooth[:24]], 1), np.stack([test, smooth[24:]], 1)
    scorer = SyntheticAnomalyScorer(
        families=[Blobs(radius=(12.0, 20.0), shift=(2.0, 4.0))],
        augmentation=None,
        width=8,
        depth=2,
        max_epochs=15 if pairs else 30,
        batch_size=8,
        lr=1e-2,
        random_state=0,
    ).fit(train)
    auc = roc_auc_score(y.ravel(), -scorer.score_samples(test).ravel())
    assert auc > (0.95 if pairs else 0.75)
    assert scorer.loss_curve_[-1] < 0.7 * scorer.loss_curve_[0]


@pytest.mark.parametrize(
    "inputs",
    [
        ("image",),
        ("conditional",),
        ("image", "position"),
        ("position", "conditional", "mirror", "image"),
    ],
    ids="+".join,
)
def test_inputs_are_saved_with_the_network(images, inputs, tmp_path):
    scorer = SyntheticAnomalyScorer(inputs=inputs, **FAST).fit(images)
    save(scorer, tmp_path / "planted.skad")
    loaded = load(tmp_path / "planted.skad")
    assert loaded.module_.inputs == inputs
    np.testing.assert_array_equal(loaded.score_samples(images), scorer.score_samples(images))


def test_conditional_maps_are_those_of_a_mixture_of_the_training_pixels(images):
    X = np.nan_to_num(images)
    maps = SyntheticAnomalyScorer(inputs=("conditional",), **FAST).fit(X).module_.conditional
    weights = maps.log_weights.exp().double()
    mean = (weights @ maps.means.double()).numpy()
    np.testing.assert_allclose(mean, X.mean(axis=(0, 2, 3)), atol=0.02)


@pytest.mark.parametrize("aligned", [True, False])
def test_an_atlas_joins_where_slices_show_the_same_at_the_same_place(images, aligned):
    X = np.where(np.isnan(images), np.nan, images + aligned * 5 * np.arange(10))
    module = SyntheticAnomalyScorer(inputs=("image", "atlas"), **FAST).fit(X).module_
    assert module.inputs == (("image", "atlas") if aligned else ("image",))


def test_slices_of_another_size_than_the_atlas_are_refused(images):
    X = images + 5 * np.arange(10, dtype=np.float32)
    scorer = SyntheticAnomalyScorer(inputs=("atlas",), **FAST).fit(X)
    with pytest.raises(ValueError, match=r"should be of \(13, 10\) pixels"):
        scorer.score_samples(X[:, :, :12])


@pytest.mark.parametrize(("epoch_size", "n_visited"), [(1, 6), (8, 6), (14, 12), (16, 18)])
def test_an_epoch_visits_about_as_many_slices_as_asked_for(images, epoch_size, n_visited):
    seen = []

    class Watching(Blobs):
        def plant(self, images, foreground):
            seen.append(len(images))
            return super().plant(images, foreground)

    SyntheticAnomalyScorer(families=[Watching()], clean_share=0.0, epoch_size=epoch_size, **FAST).fit(images)
    assert sum(seen) == n_visited


def test_cosine_learning_rates_fall_to_zero(images):
    rates = []

    class Watching(SyntheticAnomalyScorer):
        def _set_learning_rate(self, run):
            super()._set_learning_rate(run)
            rates.append(next(iter(run.optimizers.values())).param_groups[0]["lr"])

    Watching(schedule="cosine", lr=0.2, **FAST | {"max_epochs": 4}).fit(images)
    assert rates == pytest.approx([0.2, 0.2 * (0.5 + 0.5**1.5), 0.1, 0.2 * (0.5 - 0.5**1.5)])


@pytest.mark.parametrize(
    ("inputs", "message"), [(("images",), "image"), (("reference",), "that the slices allow")]
)
def test_inputs_that_are_none_are_refused(images, inputs, message):
    with pytest.raises(ValueError, match=message):
        SyntheticAnomalyScorer(inputs=inputs, **FAST).fit(images)


def test_a_fit_on_images_refuses_pairs_and_the_other_way_round(images):
    pairs = np.stack([images, images], axis=1)
    with pytest.raises(ValueError, match="fitted on images, got pairs"):
        SyntheticAnomalyScorer(**FAST).fit(images).score_samples(pairs)
    scorer = SyntheticAnomalyScorer(**FAST).fit(pairs)
    with pytest.raises(ValueError, match="fitted on pairs, got images"):
        scorer.score_samples(images)
    with pytest.raises(ValueError, match=r"warm_start=True.*another one"):
        scorer.set_params(warm_start=True).fit(images)


@pytest.mark.parametrize("families", [(), (Blobs,), (3,)])
def test_families_that_are_none_are_refused(images, families):
    with pytest.raises(ValueError, match="families should be"):
        SyntheticAnomalyScorer(families=families, **FAST).fit(images)


def test_a_parameter_of_a_family_is_checked(images):
    with pytest.raises(ValueError, match="'texture' parameter of Blobs"):
        SyntheticAnomalyScorer(families=[Deformations(), Blobs(texture=-1.0)], **FAST).fit(images)


def test_threshold_comes_from_an_even_sample_of_many_slices(images):
    many = np.concatenate([images * scale for scale in np.linspace(0.5, 2, 22)])  # 132 slices
    scorer = SyntheticAnomalyScorer(**FAST, contamination=0.1).fit(many)
    sampled = scorer.score_samples(many[::3])
    assert scorer.offset_ == pytest.approx(np.nanquantile(sampled, 0.1))


WITH_NEIGHBORS = {**FAST, "inputs": ("image", "neighbors")}


def beside_themselves(images):
    return np.stack([images] * 3, axis=1)


def test_a_slice_without_neighbors_is_scored_as_if_it_were_its_own(images):
    rng = np.random.default_rng(1)
    series = beside_themselves(images) + rng.normal(size=(6, 3, 2, 13, 10)).astype(np.float32)
    scorer = SyntheticAnomalyScorer(**WITH_NEIGHBORS).fit(series)
    assert scorer.module_.inputs == ("image", "neighbors")
    alone, copies = scorer.score_samples(images), scorer.score_samples(beside_themselves(images))
    np.testing.assert_allclose(alone, copies, rtol=1e-5, atol=1e-6)
    series[:, 0] = images
    assert np.nanmax(np.abs(scorer.score_samples(series) - alone)) > 1e-3


def test_neighbors_are_no_input_of_what_was_fitted_to_single_slices(images):
    scorer = SyntheticAnomalyScorer(**WITH_NEIGHBORS).fit(images)
    assert scorer.module_.inputs == ("image",)
    scores = scorer.score_samples(images)
    np.testing.assert_array_equal(scorer.score_samples(beside_themselves(images)), scores)
    np.testing.assert_array_equal(SyntheticAnomalyScorer(**FAST).fit(images).score_samples(images), scores)
