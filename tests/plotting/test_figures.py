"""Pictures of maps."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from skad.io import Volume
from skad.plotting import plot_roc, plot_slices, plot_volume, save_figure
from skad.plotting.drawing import MAP_COLORS
from skad.plotting.montage import ORIENTATION, chosen_slices

SHAPE = (5, 7, 9)  # slices, rows, columns: all different


def stack(n_contrasts=2):
    rng = np.random.default_rng(0)
    return rng.normal(size=(SHAPE[0], n_contrasts, *SHAPE[1:])), rng.normal(size=SHAPE)


def slice_names(axis):
    return [tick.get_text() for tick in axis.get_yticklabels()]


def test_every_contrast_and_the_map_has_a_column_and_every_slice_a_row():
    images, anomaly = stack()
    axes = plot_slices(images, anomaly, contrasts=["T1w", "FLAIR"], n_slices=3).axes[:3]
    assert [axis.get_title() for axis in axes] == ["T1w", "FLAIR", "anomaly"]
    assert slice_names(axes[0]) == ["slice 4", "slice 2", "slice 0"]
    assert list(axes[0].get_yticks()) == [3, 10, 17]  # middles of slices of 7 rows


def test_a_column_shows_the_slices_of_its_contrast_below_each_other():
    images, anomaly = stack()
    axes = plot_slices(images, anomaly, n_slices=2).axes[:3]
    for axis, expected in zip(axes, [images[:, 0], images[:, 1], anomaly], strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), np.vstack([expected[3], expected[1]]))


def test_the_truth_is_a_contour_around_its_pixels_in_every_panel():
    images, anomaly = stack()
    labels = np.zeros(SHAPE, dtype=int)
    labels[3, 2:5, 4:7] = 2
    axes = plot_slices(images, anomaly, labels=labels).axes[:3]
    assert slice_names(axes[0]) == ["slice 3"]
    for axis in axes:
        ((path,),) = [contour.get_paths() for contour in axis.collections]
        assert path.contains_points([(5, 3)]).all() and not path.contains_points([(3, 3), (5, 1)]).any()


def test_without_a_lesion_there_is_no_contour():
    images, anomaly = stack()
    figure = plot_slices(images, anomaly, labels=np.zeros(SHAPE, int))
    assert not any(axis.collections for axis in figure.axes[:3])


def test_background_is_cut_away():
    images, anomaly = stack()
    images, anomaly = (
        np.pad(a, [(0, 0)] * (a.ndim - 2) + [(20, 30), (40, 10)], constant_values=np.nan)
        for a in (images, anomaly)
    )
    axes = plot_slices(images, anomaly, n_slices=1).axes
    assert axes[0].images[0].get_array().shape == (7 + 4, 9 + 4)  # two pixels of margin


def test_pixels_keep_their_proportions():
    images, anomaly = stack()
    assert plot_slices(images, anomaly, pixel_size=(3.0, 1.5)).axes[0].get_aspect() == 2


def test_a_volume_is_drawn_in_radiological_orientation():
    values = np.arange(np.prod((9, 7, 5)), dtype=np.float32).reshape(9, 7, 5)  # x towards the left, as in LAS
    volume = Volume({"T1w": values}, np.diag([-1.0, 1, 1, 1]), subject="sub-01")
    figure = plot_volume(volume, values, n_slices=1)
    shown = figure.axes[1].images[0].get_array()
    np.testing.assert_array_equal(
        shown, values[::, ::-1, 2].T
    )  # anterior on top, the patient's right on the left
    assert figure._suptitle.get_text() == "sub-01"
    assert ORIENTATION in figure._supxlabel.get_text()
    letters = [(line.get_marker(), *line.get_xdata()) for line in figure.axes[0].lines]
    assert letters == [(r"$\mathrm{R}$", 0.03), (r"$\mathrm{L}$", 0.97)]


def test_the_colors_of_the_map_rise_in_lightness_for_every_eye():
    red, green, blue, _ = colormaps[MAP_COLORS](np.linspace(0, 1, 64)).T
    luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    assert (np.diff(luminance) > 0).all()


def test_slices_are_spread_over_those_with_a_lesion():
    labels = np.zeros((30, 2, 2), dtype=int)
    labels[10:22] = 1
    np.testing.assert_array_equal(chosen_slices(np.zeros((30, 2, 2)), labels, 4), [20, 17, 14, 11])


def test_slices_without_foreground_are_not_drawn():
    anomaly = np.full((30, 2, 2), np.nan)
    anomaly[5:7] = 0
    np.testing.assert_array_equal(chosen_slices(anomaly, None, 4), [6, 5])


def test_a_constant_image_and_map_can_be_drawn(tmp_path):
    figure = plot_slices(np.ones((2, 1, 4, 5)), np.zeros((2, 4, 5)), n_slices=1)
    assert imread(save_figure(figure, tmp_path / "x.png")).ndim == 3


def test_shapes_that_disagree_are_told():
    with pytest.raises(ValueError, match=r"got \(5, 2, 7, 9\) and \(5, 7, 8\)"):
        plot_slices(stack()[0], np.zeros((5, 7, 8)))


def test_a_map_without_foreground_is_told():
    with pytest.raises(ValueError, match="should have foreground to draw"):
        plot_slices(stack()[0], np.full(SHAPE, np.nan))


def test_roc_curves_are_labeled_with_their_area():
    figure = plot_roc({"any": ([0, 0.5, 1], [0, 1, 1], 0.75), "class 2": ([0, 1], [0, 1], 0.5)})
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["any: AUC 0.750", "class 2: AUC 0.500"]


def test_class_wise_roc_curves_have_a_panel_per_class_where_methods_keep_their_line():
    curve = ([0, 0.2, 1], [0, 0.8, 1], 0.8, 0.05)
    methods = ("VAE", "IntroVAE", "IntroVAE + search")
    panels = {"metastasis": methods, "cavity": methods, "structural": methods[1:]}
    figure = plot_roc({name: dict.fromkeys(each, curve) for name, each in panels.items()})
    assert [axis.get_title() for axis in figure.axes] == list(panels)
    looks = {}
    for axis in figure.axes:
        assert "share of normal pixels" in axis.get_xlabel() and "share of abnormal" in axis.get_ylabel()
        for line in axis.get_lines()[:-1]:  # the last is the diagonal
            name, _, area = line.get_label().partition(": ")
            looks.setdefault(name, set()).add((line.get_color(), line.get_linestyle()))
            assert area == "AUC 0.800 ± 0.050"
    assert [len(look) for look in looks.values()] == [1, 1, 1] and len(set.union(*looks.values())) == 3


def test_roc_curves_are_dark_enough_on_white_and_differ_from_their_neighbors_without_color():
    figure = plot_roc({f"{i}": ([0, 1], [0, 1], 0.5) for i in range(7)})
    lines = figure.axes[0].get_lines()[:-1]
    colors = np.array([to_rgb(line.get_color()) for line in lines])
    assert len(np.unique(colors, axis=0)) == 7
    assert (colors**2.2 @ [0.2126, 0.7152, 0.0722] < 0.5).all()
    styles = [line.get_linestyle() for line in lines]
    assert all(a != b for a, b in pairwise(styles))


@pytest.mark.parametrize("curves", [{}, {"metastasis": {}}])
def test_a_roc_figure_needs_a_curve(curves):
    with pytest.raises(ValueError, match="at least one curve"):
        plot_roc(curves)


def test_a_picture_is_complete_or_absent(tmp_path):
    class Broken:
        def savefig(self, path, **kwargs):
            path.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_figure(Broken(), tmp_path / "x.png")
    assert not list(tmp_path.iterdir())
