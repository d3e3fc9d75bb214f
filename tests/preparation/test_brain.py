"""The template's brain on heads whose brain is known."""

from importlib.util import find_spec

import numpy as np
import pytest

from skad.datasets import make_phantom
from skad.datasets.phantom import TISSUES
from skad.io import Volume
from skad.preparation import BrainExtract

pytestmark = pytest.mark.skipif(
    find_spec("SimpleITK") is None, reason="needs SimpleITK: pip install 'skad[prepare]'"
)
BRAIN = ["white_matter", "grey_matter", "csf", "ventricles", "cerebellum", "brainstem"]


@pytest.fixture(scope="module")
def phantom():
    """A head with skull, and its brain."""
    (volume,) = make_phantom(
        1, shape=(44, 52, 28), contrasts=["T1w"], lesion=None, skull=True, random_state=3
    )
    return volume, np.isin(volume.info["tissues"], [TISSUES[name] for name in BRAIN])


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("shift", [(0, 0, 0), (40, -60, 90)], ids=["as scanned", "far from the template"])
def test_the_brain_of_a_head_with_skull_is_found(phantom, shift):
    volume, brain = phantom
    affine = volume.affine.copy()
    affine[:3, 3] += shift
    (extracted,) = BrainExtract().fit_transform([Volume({"T1w": volume.contrasts["T1w"]}, affine)])
    assert dice(volume.contrasts["T1w"] > 0, brain) < 0.8  # the head itself is no answer
    assert dice(extracted.mask, brain) > 0.9


def test_intensities_and_maps_stay_as_they_are(phantom):
    volume, _ = phantom
    step = BrainExtract()
    (extracted,) = step.fit_transform([volume])
    np.testing.assert_array_equal(extracted.contrasts["T1w"], volume.contrasts["T1w"])
    anomaly = np.random.default_rng(0).normal(size=volume.shape)
    np.testing.assert_array_equal(step.inverse_transform([anomaly], [extracted])[0], anomaly)
