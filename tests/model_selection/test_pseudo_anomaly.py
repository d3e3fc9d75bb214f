"""Label-free scores: planted where they should be, the same for every candidate, and they rank detectors."""

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

from skad.datasets import make_phantom
from skad.metrics import foreground_roc_auc_score
from skad.model_selection import NormalTrainSplit, PseudoAnomalyScorer
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator
from skad.scoring import MixtureScorer, ResidualScorer
from skad.synthetic import Blobs, ForeignPatches


class Blind(BaseEstimator):
    """Scores that know nothing of the image."""

    def __init__(self, noise=1.0):
        self.noise = noise

    def fit(self, X, y=None):
        return self

    def score_samples(self, X):
        noise = np.random.default_rng(0).normal(size=X[:, 0].shape)
        return np.where(np.isnan(X[:, 0]), np.nan, self.noise * noise)

    def __sklearn_is_fitted__(self):
        return True


CANDIDATES = {"score": [Blind(noise=1.0), MixtureScorer(n_components=3, random_state=0), Blind(noise=0.0)]}


class Witness:
    """Notes what it is asked to score; every pixel is as normal as its first contrast is dark."""

    def __init__(self):
        self.seen = []

    def score_samples(self, X):
        self.seen.append(X.copy())
        return -X[:, 0]


def stack(n_patients=3, n_slices=12, seed=0):
    """A patient's slices have the patient's number as first contrast; foregrounds shrink with height."""
    rng = np.random.default_rng(seed)
    y, x = np.linspace(-1, 1, 36)[:, None], np.linspace(-1, 1, 28)
    X = rng.normal(size=(n_patients * n_slices, 2, 36, 28)).astype(np.float32)
    groups, height = np.divmod(np.arange(len(X)), n_slices)
    X[:, 0] = 100 * groups[:, None, None]
    inside = (x**2 + y**2)[None] < (1 - 0.06 * height[:, None, None])
    return np.where(inside[:, None], X, np.nan), groups, height


@pytest.fixture(scope="module")
def phantom():
    volumes = make_phantom(4, shape=(40, 48, 10), lesion="glioma", random_state=0)
    return VolumePreprocessor(size=(40, 32)).fit_transform(volumes)


def test_lesions_lie_in_the_foreground_and_change_the_image_only_there():
    X, groups, _ = stack()
    for _, planted, mask in PseudoAnomalyScorer(per_family=True).plant(X, groups=groups):
        assert planted.shape == X.shape and mask.shape == X[:, 0].shape
        np.testing.assert_array_equal(np.isnan(planted), np.isnan(X))
        np.testing.assert_array_equal(
            np.where(mask[:, None] > 0, 0, planted), np.where(mask[:, None] > 0, 0, X)
        )
        assert not mask[np.isnan(X[:, 0])].any()
        assert (mask.max(axis=(1, 2)) >= 0.5).mean() > 0.9


@pytest.mark.parametrize("with_groups", [True, False])
def test_foreign_tissue_is_another_patients_from_the_same_position(with_groups):
    X, groups, height = stack()
    X[:, 1] = height[:, None, None] + np.where(np.isnan(X[:, 1]), np.nan, 0)
    families = {"foreign": ForeignPatches(reach=0.0, opacity=(1.0, 1.0))}
    scorer = PseudoAnomalyScorer(families=families)
    ((_, planted, mask),) = scorer.plant(X, groups=groups if with_groups else None)
    full = mask == 1
    slices = full.any(axis=(1, 2))
    assert slices.mean() > 0.9
    for i in np.flatnonzero(slices):
        patient, position = planted[i][:, full[i]]
        assert (patient != 100 * groups[i]).all() and len(set(patient)) == 1
        assert (np.abs(position - height[i]) <= 1).all()  # neighbors may overlap as much on coarse pixels


def test_the_same_patient_is_no_donor_even_where_its_slices_overlap_more():
    X, groups, _ = stack(n_patients=2, n_slices=3)
    X[:, 0] = 100 * groups[:, None, None]
    X[groups == 1, :, :, :12] = np.nan
    X[groups == 0] = np.nan_to_num(X[groups == 0])
    families = {"foreign": ForeignPatches(reach=0.0, opacity=(1.0, 1.0))}
    ((_, planted, mask),) = PseudoAnomalyScorer(families=families).plant(X, groups=groups)
    for i, full in enumerate((mask == 1) & ~np.isnan(X[:, 0])):
        assert (planted[i, 0][full] == 100 * (1 - groups[i])).all()
    assert (mask == 1).any(axis=(1, 2)).sum() >= 4


def test_slices_of_a_single_patient_are_each_others_donors():
    X, groups, _ = stack(n_patients=1)
    X[:, 0] = np.where(np.isnan(X[:, 0]), np.nan, np.arange(12)[:, None, None])
    families = {"foreign": ForeignPatches(reach=0.0, opacity=(1.0, 1.0))}
    ((_, planted, mask),) = PseudoAnomalyScorer(families=families).plant(X, groups=groups)
    for i, full in enumerate(mask == 1):
        assert (planted[i, 0][full] != i).all()


def test_slices_with_a_label_are_dropped_and_labels_serve_nothing_else():
    X, groups, _ = stack()
    y = np.zeros(X[:, 0].shape, dtype=int)
    y[[0, 5, 20], 10, 10] = [1, 2, 1]
    normal = ~y.any(axis=(1, 2))
    scorer, with_y, without = PseudoAnomalyScorer(), Witness(), Witness()
    assert scorer(with_y, X, y, groups=groups) == scorer(without, X[normal], groups=groups[normal])
    np.testing.assert_array_equal(with_y.seen[0], without.seen[0])
    with pytest.raises(ValueError, match="should hold a normal slice"):
        scorer(with_y, X, y + 1)


def test_every_candidate_is_scored_on_the_same_lesions_and_another_seed_plants_others():
    X, _, _ = stack()
    witness = Witness()
    for seed in (0, 0, 1, None, None):
        PseudoAnomalyScorer(random_state=seed)(witness, X)
    same, again, other, *fresh = witness.seen
    np.testing.assert_array_equal(same, again)
    assert not np.array_equal(same, other, equal_nan=True)
    assert not np.array_equal(*fresh, equal_nan=True)


def test_global_generators_and_input_are_left_as_they_were():
    X, groups, _ = stack()
    before, torch_state = X.copy(), torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    PseudoAnomalyScorer(random_state=None)(Witness(), X, groups=groups)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_the_metric_sees_lesions_as_positives_and_no_rim():
    X, _, _ = stack()
    seen = {}

    def metric(y_true, anomaly):
        seen.update(y_true=y_true, anomaly=anomaly)
        return 0.25

    scorer = PseudoAnomalyScorer(families={"blobs": Blobs()}, metric=metric)
    assert scorer(Witness(), X) == 0.25
    ((_, planted, mask),) = scorer.plant(X)
    np.testing.assert_array_equal(seen["y_true"], mask >= 0.5)
    rim = (mask > 0) & (mask < 0.5)
    assert rim.any()
    np.testing.assert_array_equal(seen["anomaly"], np.where(rim, np.nan, planted[:, 0]))


def test_families_are_equally_frequent_and_no_more_slices_are_used_than_asked():
    X, _, _ = stack()
    marks = {f"f{value}": Stamp(value) for value in (1, 2, 3)}
    scorer = PseudoAnomalyScorer(families=marks, n_slices=30, per_family=True)
    planted = {name: images for name, images, _ in scorer.plant(X)}
    values, counts = np.unique(np.nanmax(planted.pop("mixed")[:, 1], axis=(1, 2)), return_counts=True)
    assert values.tolist() == [1, 2, 3] and counts.tolist() == [10, 10, 10]
    for (name, images), value in zip(planted.items(), (1, 2, 3), strict=True):
        assert name == f"f{value}" and (np.nanmax(images[:, 1], axis=(1, 2)) == value).all()


class Stamp:
    """Fills the upper half with one value."""

    def __init__(self, value):
        self.value = value

    def plant(self, images, foreground):
        mask = foreground.float()
        mask[..., foreground.shape[2] // 2 :, :] = 0
        return torch.full_like(images, float(self.value)), mask


@pytest.mark.parametrize("families", [{}, {"mixed": Blobs()}])
def test_families_without_a_name_of_their_own_are_refused(families):
    with pytest.raises(ValueError, match="families should name at least one"):
        PseudoAnomalyScorer(families=families)(Witness(), stack()[0])


def test_a_grid_search_prefers_a_detector_that_sees_lesions(phantom):
    y = np.zeros_like(phantom.y)  # NormalTrainSplit needs labels; these say nothing
    search = GridSearchCV(
        Pipeline([("score", Blind())]),
        CANDIDATES,
        scoring=PseudoAnomalyScorer(),
        cv=NormalTrainSplit(n_splits=2),
    ).fit(phantom.X, y, groups=phantom.groups)
    noise, mixture, constant = search.cv_results_["mean_test_score"]
    assert mixture > 1.5 * max(noise, constant)


def test_a_halving_search_prefers_a_detector_that_sees_lesions(phantom):
    search = HalvingGridSearchCV(
        Pipeline([("score", Blind())]),
        CANDIDATES,
        scoring=PseudoAnomalyScorer(),
        cv=2,
        factor=2,
        min_resources=len(phantom) // 2,
        random_state=0,
    ).fit(phantom.X)
    assert isinstance(search.best_estimator_["score"], MixtureScorer)


def test_a_search_sees_each_family_and_passes_groups_on(phantom):
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = PseudoAnomalyScorer(per_family=True, metric=foreground_roc_auc_score)
        found = GridSearchCV(
            Pipeline([("score", Blind())]),
            CANDIDATES,
            scoring=scorer.set_score_request(groups=True),
            cv=NormalTrainSplit(n_splits=2),
            refit="mixed",
        ).fit(phantom.X, phantom.y, groups=phantom.groups)
    assert found.best_index_ == 1
    split = next(NormalTrainSplit(n_splits=2).split(phantom.X, phantom.y, phantom.groups))
    mixture = clone(CANDIDATES["score"][1]).fit(phantom.X[split[0]])
    X, y, groups = (each[split[1]] for each in (phantom.X, phantom.y, phantom.groups))
    direct = scorer(mixture, X, y, groups=groups)
    for name, score in direct.items():
        assert found.cv_results_[f"split0_test_{name}"][1] == score


def test_a_pipeline_that_starts_from_images_is_scored_whole(phantom):
    pipeline = make_pipeline(
        ContrastTranslator(width=2, n_blocks=0, max_epochs=1, random_state=0), ResidualScorer()
    ).fit(phantom.X)
    assert isinstance(pipeline, Pipeline)
    assert 0 < PseudoAnomalyScorer(n_slices=8)(pipeline, phantom.X, phantom.y) < 1


def test_where_lesions_are_bright_on_flair_they_show_in_nothing_else():
    X = np.random.default_rng(0).normal(size=(6, 3, 24, 20)).astype(np.float32)
    scorer = PseudoAnomalyScorer.for_contrasts(["T1w", "dwi", "FLAIR"], n_slices=6)
    ((name, planted, mask),) = scorer.plant(X)
    assert name == "mixed" and mask.any()
    np.testing.assert_array_equal(planted[:, :2], X[:, :2])
    inside = mask == 1
    assert planted[:, 2][inside].mean() > X[:, 2][inside].mean() + 0.4


def test_without_such_a_contrast_lesions_are_of_all_families():
    assert PseudoAnomalyScorer.for_contrasts(["T1w"], n_slices=3).get_params() == (
        PseudoAnomalyScorer(n_slices=3).get_params()
    )
