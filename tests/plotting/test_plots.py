"""Figures for papers: what is drawn is what was computed, on axes with names and units."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.metrics import precision_recall_curve, roc_curve
from sklearn.mixture import GaussianMixture

from skad.metrics import ScoreHistogram, foreground_roc_curve, lesion_size_report
from skad.plotting import (
    plot_calibration,
    plot_latent_search,
    plot_lesion_sizes,
    plot_mixture,
    plot_precision_recall,
    plot_roc,
    plot_slices,
    plot_training,
)
from skad.reconstruction import IntroVAEReconstructor

SHAPE = (6, 5, 7)  # slices, rows, columns: all different


@pytest.fixture
def ax():
    return Figure().subplots()


def labeled():
    """Labels and a map that tells something of them, with ties and background."""
    rng = np.random.default_rng(0)
    labels = (rng.random(SHAPE) < 0.2).astype(int)
    anomaly = np.round(rng.normal(size=SHAPE) + labels, 1)
    anomaly[:, 0] = np.nan
    return labels, anomaly


def foreground():
    labels, anomaly = labeled()
    return labels[~np.isnan(anomaly)], anomaly[~np.isnan(anomaly)]


def xy(line):
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def test_a_roc_curve_is_scikit_learns(ax):
    fpr, tpr, _ = foreground_roc_curve(*labeled())
    assert plot_roc({"ADM": (fpr, tpr, 0.5)}, ax=ax) is ax.figure
    expected_fpr, expected_tpr, _ = roc_curve(*foreground(), drop_intermediate=False)
    ours, theirs = (
        set(zip(np.round(fpr, 9), np.round(tpr, 9), strict=True))
        for fpr, tpr in (xy(ax.get_lines()[0]), (expected_fpr, expected_tpr))
    )
    assert {(0, 0), (1, 1)} <= ours <= theirs and len(ours) > 10


def test_precision_and_recall_are_scikit_learns(ax):
    histogram = ScoreHistogram()
    histogram.update(*labeled())
    plot_precision_recall({"ADM": histogram.operating_points()}, ax=ax)
    truth, scores = foreground()
    precision, recall, _ = precision_recall_curve(truth, scores)
    x, y = xy(ax.get_lines()[0])
    np.testing.assert_allclose(x, recall[-2::-1], atol=1e-12)
    np.testing.assert_allclose(y, precision[-2::-1], atol=1e-12)
    np.testing.assert_allclose(xy(ax.get_lines()[1])[1], truth.mean())  # guessing


def test_class_wise_panels_take_axes_one_each():
    axes = Figure().subplots(1, 2)
    curves = {name: {"ADM": ([0, area, 1], [0, 1, 1], area)} for name, area in (("a", 0.2), ("b", 0.4))}
    plot_roc(curves, ax=axes)
    assert [xy(axis.get_lines()[0])[0][1] for axis in axes] == [0.2, 0.4]
    with pytest.raises(ValueError, match="each of 2 panels, got 1"):
        plot_roc(curves, ax=axes[0])


def test_lesion_sizes_stand_over_their_counts(ax):
    report = lesion_size_report(*labeled(), step=3)
    plot_lesion_sizes({"ADM": report, "without small ones": report[1:]}, ax=ax)
    (behind,) = (axis for axis in ax.figure.axes if axis is not ax)
    assert [bar.get_height() for bar in behind.patches] == [row["n_slices"] for row in report]
    first, second = ax.get_lines()
    np.testing.assert_allclose(xy(first)[1], [row["roc_auc"] for row in report])
    np.testing.assert_allclose(xy(second)[1], [np.nan, *(row["roc_auc"] for row in report[1:])])
    band = {tuple(corner) for corner in ax.collections[0].get_paths()[0].vertices.round(9)}
    for place, row in enumerate(report):
        low, high = row["roc_auc"] - row["roc_auc_sd"], row["roc_auc"] + row["roc_auc_sd"]
        assert {(place, round(low, 9)), (place, round(high, 9))} <= band
    assert sum(row["roc_auc_sd"] > 0 for row in report) > 1
    assert [tick.get_text() for tick in ax.get_xticklabels()][:2] == ["1 to 3", "4 to 6"]
    assert ax.get_zorder() > behind.get_zorder()


def test_both_players_share_a_panel_and_the_margin_stands_beside_the_divergences():
    X = np.random.default_rng(0).normal(size=(4, 1, 8, 12)).astype("float32")
    model = IntroVAEReconstructor(
        channels=(4, 8), latent_channels=2, max_epochs=3, n_warmup_epochs=1, margin=7.0, random_state=0
    ).fit(X)
    panels = {axis.get_ylabel(): axis for axis in plot_training(model).axes}
    objective = {line.get_label(): line for line in panels["objective, mean of the epoch"].get_lines()}
    np.testing.assert_array_equal(xy(objective["encoder"]), [[1, 2, 3], model.history_["encoder_loss"]])
    np.testing.assert_array_equal(xy(objective["decoder"]), [[1, 2, 3], model.history_["decoder_loss"]])
    assert xy(objective["the game begins"])[0].tolist() == [1.5, 1.5]
    divergence = {
        line.get_label(): xy(line)[1] for line in panels["divergence from the prior (nats)"].get_lines()
    }
    np.testing.assert_array_equal(divergence["images"], model.history_["kl_real"])
    np.testing.assert_array_equal(divergence["reconstructions"], model.history_["kl_reconstructed"])
    assert divergence["margin m = 7"].tolist() == [7, 7]
    assert "share inside margin" in panels
    assert len(panels) == 4 and all(axis.get_xlabel() == "epoch" for axis in panels.values())


def test_a_single_loss_curve_has_one_panel_and_an_unfitted_estimator_none():
    class Plain(BaseEstimator):
        def fit(self, X):
            self.loss_curve_ = [3.0, 2.0]
            return self

    (axis,) = plot_training(Plain().fit(None)).axes
    np.testing.assert_array_equal(xy(axis.get_lines()[0]), [[1, 2], [3, 2]])
    with pytest.raises(NotFittedError):
        plot_training(IntroVAEReconstructor())


def test_curves_of_two_trainings_may_differ_in_length():
    figure = plot_training({"critic_loss": [1.0, 2.0, 3.0], "encoder_loss": [4.0]})
    assert [len(xy(line)[0]) for line in figure.axes[0].get_lines()] == [3, 1]


def test_a_search_is_shown_with_its_residuals_and_errors():
    rng = np.random.default_rng(0)
    images, before, after = (rng.normal(size=(2, 3, 5, 7)) for _ in range(3))
    images[:, :, 0] = np.nan
    curve = rng.random((2, 11))
    figure = plot_latent_search(images, before, after, curve=curve, contrast=1)
    panels = np.reshape([axis for axis in figure.axes if axis.images], (2, 5))
    for i, row in enumerate(panels):
        shown = [axis.images[0].get_array().filled(np.nan) for axis in row]
        residuals = [np.abs(images[i, 1] - each[i, 1]) for each in (before, after)]
        for picture, expected in zip(
            shown, [images[i, 1], before[i, 1], after[i, 1], *residuals], strict=True
        ):
            np.testing.assert_array_equal(picture, expected)
        assert [axis.get_xlabel() for axis in row[3:]] == [f"mean {np.nanmean(r):.3g}" for r in residuals]
        assert len({axis.images[0].get_clim() for axis in row[:3]}) == 1
    assert len({axis.images[0].get_clim() for axis in panels[:, 3:].flat}) == 1
    *single, mean = figure.axes[-1].get_lines()
    np.testing.assert_array_equal([xy(line)[1] for line in single], curve)
    np.testing.assert_allclose(xy(mean)[1], curve.mean(axis=0))
    with pytest.raises(ValueError, match=r"got \(2, 3, 5, 7\), \(2, 3, 5, 7\) and \(1, 3, 5, 7\)"):
        plot_latent_search(images, before, after[:1])


def test_an_ellipse_holds_95_percent_of_its_gaussian(ax):
    rng = np.random.default_rng(0)
    covariance = np.array([[4.0, 0.3, 1.8], [0.3, 9.0, 0.2], [1.8, 0.2, 1.0]])
    X = rng.multivariate_normal([1, 2, 3], covariance, size=20_000)
    gaussian = GaussianMixture(1, random_state=0).fit(X)
    plot_mixture(X, gaussian, dims=(0, 2), names=["a", "b", "c"], ax=ax)
    (ellipse,) = ax.patches
    inside = ellipse.get_patch_transform().inverted().transform(X[:, [0, 2]])
    assert np.mean((inside**2).sum(axis=1) <= 1) == pytest.approx(0.95, abs=0.005)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "c")


def test_pixels_of_a_map_are_drawn_normal_and_abnormal_without_background(ax):
    features = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    features[:, :, 0] = np.nan
    labels = np.zeros((2, 4, 5), int)
    labels[1, :2, 3] = 1
    mixture = GaussianMixture(2, random_state=0).fit(np.random.default_rng(1).normal(size=(50, 3)))
    plot_mixture(features, mixture, dims=(2, 1), labels=labels, ax=ax)
    normal, abnormal = ax.get_lines()
    assert len(xy(normal)[0]) == 2 * 3 * 5 - 1
    np.testing.assert_array_equal(np.ravel(xy(abnormal)), features[1, [2, 1], 1, 3])
    with pytest.raises(ValueError, match="3 features of the mixture, got 2"):
        plot_mixture(features[:, :2], mixture)


@pytest.mark.parametrize("unit", ["pixel", "patient"])
def test_a_calibration_curve_counts_what_is_called_abnormal(unit, ax):
    rng = np.random.default_rng(0)
    patients = [np.append(rng.integers(1, 40, n) / 40, np.nan) for n in (5, 9, 30)]
    plot_calibration({"scanner": patients}, unit=unit, ax=ax)
    promised, realized = xy(ax.get_lines()[0])
    assert set(promised) == {p for each in patients for p in each[:-1]}
    called = [[(each[:-1] <= rate) for each in patients] for rate in promised]
    expected = [np.mean([c.mean() if unit == "pixel" else c.any() for c in row]) for row in called]
    np.testing.assert_allclose(realized, expected)
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_a_calibration_curve_of_many_p_values_is_thinned_but_exact(ax):
    p = np.random.default_rng(0).random(5000)
    plot_calibration({"scanner": [p]}, ax=ax)
    promised, realized = xy(ax.get_lines()[0])
    assert len(promised) <= 400 and promised[0] == p.min()
    np.testing.assert_allclose(realized, [np.mean(p <= rate) for rate in promised])


@pytest.mark.parametrize("plot", [plot_precision_recall, plot_lesion_sizes, plot_calibration])
def test_nothing_to_draw_is_told(plot):
    with pytest.raises(ValueError, match="at least one curve, got none"):
        plot({})


def test_montages_can_be_part_of_a_figure():
    left, right = Figure(layout="constrained").subfigures(1, 2)
    images = np.ones((2, 1, 4, 5))
    assert plot_slices(images, np.ones((2, 4, 5)), n_slices=1, figure=left) is left
    assert len(left.axes) == 2 and not right.axes
