"""The tail of one contrast given the others, on slices: against least squares, scipy and refitted scorers."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from skad.postprocessing import smooth_foreground
from skad.scoring import ConditionalMixtureScorer
from skad.scoring.conditional_mixture import fisher_surprise

FOREGROUND = np.s_[:, :, :, 3:]


@pytest.fixture
def X():
    """Three contrasts of two tissues, the second bright where the first is dark."""
    generator = np.random.default_rng(0)
    tissue = generator.random((5, 9, 14)) < 0.4
    noise = generator.normal(size=(3, 5, 9, 14))
    contrasts = [4 * tissue + noise[0], 0.5 * noise[0] - 2 * tissue + noise[1], noise[1] + 0.3 * noise[2]]
    X = np.stack(contrasts, axis=1)
    X[..., :3] = np.nan
    return X


def _scorer(**kwargs):
    return ConditionalMixtureScorer(
        **{"n_components": 1, "smoothing": 0, "reg_covar": 0, "random_state": 0} | kwargs
    )


def _residual(X, contrast, given):
    pixels = np.moveaxis(X[FOREGROUND], 1, -1).reshape(-1, X.shape[1])
    fitted = LinearRegression().fit(pixels[:, given], pixels[:, contrast])
    residual = pixels[:, contrast] - fitted.predict(pixels[:, given])
    return residual / residual.std()


def test_one_component_scores_the_least_squares_residual(X):
    scorer = _scorer(contrast=1, sign=1).fit(X)
    residual = _residual(X, 1, [0, 2])
    np.testing.assert_allclose(scorer.transform(X)[FOREGROUND].ravel(), residual, atol=1e-4)
    scores = scorer.score_samples(X)[..., 3:].ravel()
    np.testing.assert_allclose(scores, stats.norm.logsf(residual), rtol=1e-4, atol=1e-4)


def test_given_names_what_is_conditioned_on(X):
    residuals = _scorer(contrast=1, given=[0]).fit(X).transform(X)[FOREGROUND].ravel()
    np.testing.assert_allclose(residuals, _residual(X, 1, [0]), atol=1e-4)


def test_one_contrast_has_the_tail_of_its_marginal(X):
    X = X[:, :1]
    scorer = _scorer(n_components=2, sign=1).fit(X)
    deviations = np.sqrt(scorer.covariances_[:, 0, 0])
    tails = stats.norm.sf(X[FOREGROUND][..., None], scorer.means_[:, 0], deviations) @ scorer.weights_
    np.testing.assert_allclose(scorer.score_samples(X)[..., 3:], np.log(tails[:, 0]), rtol=1e-4)


@pytest.mark.parametrize("sign", [1, -1, 0])
def test_units_of_a_contrast_do_not_matter(X, sign):
    scale, shift = np.array([30.0, 0.02, 5.0])[:, None, None], np.array([100.0, -3.0, 0.0])[:, None, None]
    scores = _scorer(n_components=2, sign=sign, reg_covar=1e-3).fit(X).score_samples(X)
    other = _scorer(n_components=2, sign=sign, reg_covar=1e-3).fit(X * scale + shift)
    np.testing.assert_allclose(other.score_samples(X * scale + shift), scores, rtol=1e-2, atol=1e-3)


def test_a_missing_contrast_is_as_if_never_there(X):
    lacking = X.copy()
    lacking[:, 1] = np.nan
    scores = _scorer().fit(X).score_samples(lacking)
    np.testing.assert_allclose(
        scores, _scorer().fit(X[:, [0, 2]]).score_samples(X[:, [0, 2]]), rtol=1e-3, atol=1e-4
    )


def test_a_missing_contrast_is_as_expected_in_the_features(X):
    lacking = X.copy()
    lacking[2, 1] = np.nan
    features = _scorer().fit(X).transform(lacking)
    np.testing.assert_array_equal(features[2, 1, :, 3:], 0)


def test_nothing_left_to_score_is_an_error(X):
    scorer = _scorer(contrast=1).fit(X)
    X[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"X\[2\] lacks every contrast that is scored"):
        scorer.score_samples(X)


def test_the_lower_tail_is_the_upper_tail_of_the_negative(X):
    dark = _scorer(contrast=0, sign=-1, n_components=2).fit(X).score_samples(X)
    bright = _scorer(contrast=0, sign=1, n_components=2).fit(-X).score_samples(-X)
    np.testing.assert_allclose(dark, bright, rtol=1e-3, atol=1e-4)


def test_one_sign_for_each_contrast(X):
    scorer = _scorer(contrast=[0, 2], sign=[1, -1]).fit(X)
    bright, dark = (
        _scorer(contrast=c, sign=s).fit(X).score_samples(X)[..., 3:] for c, s in ((0, 1), (2, -1))
    )
    statistic = -2 * (bright + dark)
    np.testing.assert_allclose(scorer.score_samples(X)[..., 3:], stats.chi2.logsf(statistic, 4), rtol=1e-3)


def test_combined_p_values_are_scipys():
    p = np.random.default_rng(0).random((3, 50))
    expected = [stats.combine_pvalues(column, method="fisher").pvalue for column in p.T]
    np.testing.assert_allclose(np.exp(-fisher_surprise(-np.log(p))), expected)


def test_maps_of_several_smoothings_are_averaged(X):
    raw = _scorer().fit(X).score_samples(X)
    scores = _scorer(smoothing=[0.5, 2.0]).fit(X).score_samples(X)
    np.testing.assert_allclose(
        scores, (smooth_foreground(raw, 0.5) + smooth_foreground(raw, 2.0)) / 2, rtol=1e-4
    )


def test_trimming_forgets_lesions_in_the_training_slices(X):
    ill = X.copy()
    ill[:2, 1, 4:6, 4:9] += 12
    healthy = _scorer(contrast=1, sign=1).fit(X).transform(ill)[:2, 0, 4:6, 4:9].mean()
    trimmed, plain = (
        _scorer(contrast=1, sign=1, trimmed=share).fit(ill).transform(ill)[:2, 0, 4:6, 4:9].mean()
        for share in (0.06, 0.0)
    )
    assert plain < 0.5 * healthy < 0.8 * healthy < trimmed


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"contrast": 3}, "contrast should be indices from 0 to 2, got 3"),
        ({"given": [-1]}, r"given should be indices from 0 to 2, got \[-1\]"),
        ({"contrast": []}, "contrast should name at least one contrast"),
        ({"sign": [1, 0]}, "one for each of 3 contrasts"),
    ],
)
def test_contrasts_and_signs_have_to_fit_the_images(X, kwargs, message):
    with pytest.raises(ValueError, match=message):
        _scorer(**kwargs).fit(X)


@pytest.mark.parametrize(
    ("names", "contrast", "given", "sign"),
    [
        (["T1w", "FLAIR", "ce-gadolinium_T1w", "T2w"], 1, [0, 2], 1),
        (["t2", "t1ce", "t1"], 0, [1, 2], 1),
        (["FLAIR", "T2w"], 0, None, 1),
        (["FLAIR"], 0, None, 1),
        (["T1w", "ce-gadolinium_T1w"], None, None, 0),
    ],
)
def test_contrasts_are_chosen_by_name(names, contrast, given, sign):
    scorer = ConditionalMixtureScorer.for_contrasts(names, trimmed=0.1)
    assert (scorer.contrast, scorer.given, scorer.sign, scorer.trimmed) == (contrast, given, sign, 0.1)
