import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skad.metrics import UndefinedScoreError, lesion_froc, lesion_size_report


def squares(sides, size=40):
    """One slice per side length with a square lesion of that side, and a noisy map."""
    y_true = np.zeros((len(sides), size, size + 3), dtype=int)
    for image, side in zip(y_true, sides, strict=True):
        image[2 : 2 + side, 5 : 5 + side] = 1
    return y_true, y_true + np.random.default_rng(0).normal(size=y_true.shape)


def test_slices_fall_into_ranges_of_200_pixels_with_the_last_size_included():
    y_true, anomaly = squares([1, 10, 0, 20, 21])
    y_true[1, 30:35, 0:20] = 1  # 100 + 100 pixels: still in the first range
    rows = lesion_size_report(y_true, anomaly)
    assert [(r["smallest"], r["largest"], r["n_slices"]) for r in rows] == [
        (1, 200, 2),
        (201, 400, 1),
        (401, 600, 1),
    ]


def test_a_range_holds_mean_and_sd_of_its_slices():
    y_true, anomaly = squares([3, 8, 25])
    first, *_, last = lesion_size_report(y_true, anomaly)
    scores = [roc_auc_score(y.ravel(), a.ravel()) for y, a in zip(y_true, anomaly, strict=True)]
    assert first["roc_auc"] == pytest.approx(np.mean(scores[:2]))
    assert first["roc_auc_sd"] == pytest.approx(np.std(scores[:2]))
    assert last["roc_auc"] == pytest.approx(scores[2])


def test_an_empty_range_is_nan():
    row = lesion_size_report(*squares([5, 25]))[1]
    assert row["n_slices"] == 0 and np.isnan(row["roc_auc"]) and np.isnan(row["roc_auc_sd"])


def test_size_counts_foreground_pixels_of_the_class_only():
    y_true, anomaly = squares([10])
    y_true[0, 30:40] = 2
    anomaly[0, 2:4] = np.nan
    (row,) = lesion_size_report(y_true, anomaly, step=80, label=1)
    assert (row["n_slices"], row["largest"]) == (1, 80)


@pytest.mark.parametrize(("step", "sides", "message"), [(0, [4], "got 0"), (200, [0, 0], "none in 2 slices")])
def test_size_report_refuses(step, sides, message):
    with pytest.raises(ValueError, match=message):
        lesion_size_report(*squares(sides), step=step)


def two_volumes():
    """Volume a: a lesion over two slices and a spurious spot. Volume b: one lesion, missed until the end."""
    y_true, anomaly = np.zeros((4, 6, 9), dtype=int), np.zeros((4, 6, 9))
    y_true[0, 1, 1:3], y_true[1, 1, 2], y_true[3, 4, 4:6] = 1, 1, 1
    anomaly[0, 1, 1], anomaly[2, 0, 8], anomaly[3, 4, 4] = 9, 5, 3
    return y_true, anomaly, np.array(["a", "a", "b", "b"])


def test_froc_of_a_case_on_paper():
    false_positives, sensitivity, thresholds = lesion_froc(*two_volumes())
    np.testing.assert_array_equal(thresholds, [9, 5, 3, 0])
    np.testing.assert_array_equal(false_positives[:3], [0, 0.5, 0.5])
    np.testing.assert_array_equal(sensitivity[:3], [0.5, 0.5, 1])


def test_a_detection_of_the_whole_body_finds_nothing():
    false_positives, sensitivity, _ = lesion_froc(*two_volumes())
    assert (false_positives[-1], sensitivity[-1]) == (1, 0)
    _, sensitivity, _ = lesion_froc(*two_volumes(), min_overlap=0)
    assert sensitivity[-1] == 1


def test_volumes_do_not_touch_each_other():
    y_true, anomaly = np.zeros((2, 3, 4), dtype=int), np.zeros((2, 3, 4))
    y_true[:, 1, 1], anomaly[:, 1, 1] = 1, [2, 1]
    assert lesion_froc(y_true, anomaly, ["a", "b"])[1][0] == 0.5
    assert lesion_froc(y_true, anomaly, ["a", "a"])[1][0] == 1


def test_connectivity_decides_whether_a_corner_joins():
    y_true, anomaly = np.zeros((1, 4, 5), dtype=int), np.zeros((1, 4, 5))
    y_true[0, [1, 2], [1, 2]], anomaly[0, 1, 1], anomaly[0, 2, 2] = 1, 2, 1
    assert lesion_froc(y_true, anomaly, ["a"], connectivity=3)[1][0] == 1
    assert lesion_froc(y_true, anomaly, ["a"], connectivity=1)[1][0] == 0.5


def test_small_detections_are_ignored():
    false_positives, sensitivity, _ = lesion_froc(*two_volumes(), min_size=2)
    assert false_positives[:3].tolist() == [0, 0, 0] and sensitivity[:3].tolist() == [0, 0, 0]


def test_other_classes_and_background_count_neither_way():
    y_true, anomaly, volumes = two_volumes()
    y_true[2, 0, 8] = 2
    anomaly[3, 4] = np.nan
    false_positives, sensitivity, thresholds = lesion_froc(y_true, anomaly, volumes, label=1)
    assert thresholds.tolist() == [9, 0]
    assert (false_positives[0], sensitivity[0]) == (0, 1)


def test_thresholds_go_from_one_pixel_to_all_in_even_steps_of_the_logarithm():
    y_true, anomaly = squares([9], size=97)
    thresholds = lesion_froc(y_true, anomaly, ["a"], n_thresholds=5)[2]
    reached = [(anomaly >= t).sum() for t in thresholds]
    np.testing.assert_allclose(reached, np.geomspace(1, anomaly.size, 5), atol=0.5)


def test_no_lesion_leaves_froc_undefined():
    y_true, anomaly, volumes = two_volumes()
    with pytest.raises(UndefinedScoreError, match="of label=4 in the foreground, got none in 2 volumes"):
        lesion_froc(y_true, anomaly, volumes, label=4)


def test_froc_needs_a_stack_of_slices():
    y_true, anomaly, _ = two_volumes()
    with pytest.raises(ValueError, match=r"\(n_samples, height, width\), got \(6, 9\)"):
        lesion_froc(y_true[0], anomaly[0], ["a"] * 6)
