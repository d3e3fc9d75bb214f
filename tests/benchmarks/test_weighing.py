"""Rows of the lesion ensemble are what `skad fit` and `skad score` compute."""

import numpy as np
import pytest
from champion import smooth_slices
from weighing import threshold_of_weighed, weighed_stack

from skad.datasets import make_phantom
from skad.methods import make_detector

TINY = {
    "score__cv": 2,
    "score__network__width": 2,
    "score__network__depth": 1,
    "score__network__epoch_size": 1,
    "score__network__max_epochs": 1,
}


@pytest.mark.parametrize(("method", "parameters"), [("mixture", {}), ("ensemble", TINY)])
def test_maps_and_threshold_are_those_of_the_detector(method, parameters):
    volumes = make_phantom(n_subjects=3, shape=(24, 28, 8), random_state=0)
    size = {"preprocessor__size": (28, 24)}
    detector = make_detector(method, volumes[0].contrasts, parameters=parameters | size).fit(volumes)
    scorer, stack = detector.pipeline_["score"], detector.preprocessor_.transform(volumes)
    normal = stack.X[~stack.y.any(axis=(1, 2))]
    threshold = threshold_of_weighed(scorer, normal, stack.placements[0].pixel_size)
    assert threshold == pytest.approx(-detector.offset_)
    (patient,) = make_phantom(n_subjects=1, shape=(24, 28, 8), lesion="glioma", random_state=1)
    stack = detector.preprocessor_.transform([patient])
    anomaly = -scorer.score_samples(stack.X)
    if method == "ensemble":
        anomaly = smooth_slices(anomaly, stack.positions)
    weighed = weighed_stack(anomaly, stack)
    (expected,) = detector.preprocessor_.inverse_transform(weighed, stack, outside="nan")
    np.testing.assert_allclose(detector.anomaly_of(patient), expected.get_fdata(dtype=np.float32), rtol=1e-5)
