"""The template's brain on heads whose brain is known."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from skad.datasets import load_bids, make_phantom
from skad.datasets.phantom import TISSUES
from skad.io import Volume
from skad.preparation import BrainExtract
from skad.preparation.plausibility import head_of

pytestmark = pytest.mark.skipif(
    find_spec("SimpleITK") is None, reason="needs SimpleITK: pip install 'skad[prepare]'"
)
BRAIN = ["white_matter", "gray_matter", "csf", "ventricles", "cerebellum", "brainstem"]


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
    head = Volume({"T1w": volume.contrasts["T1w"]}, affine)
    (extracted,) = BrainExtract(method="template").fit_transform([head])
    assert dice(volume.contrasts["T1w"] > 0, brain) < 0.8  # the head itself is no answer
    assert dice(extracted.mask, brain) > 0.9


@pytest.mark.skipif(find_spec("deepbet") is None, reason="needs deepbet: pip install 'skad[prepare]'")
def test_the_network_finds_the_brain_of_a_patient_with_skull(real_data):
    (patient,) = load_bids(real_data / "clinical", contrasts=["T1w"])
    (extracted,) = BrainExtract().fit_transform([patient])
    head = head_of(patient.contrasts["T1w"])
    assert 0.3 < extracted.mask.sum() / head.sum() < 0.6  # a head is about half brain
    assert extracted.info["warnings"] == []


def test_a_mask_that_came_with_the_scan_stays(phantom):
    volume, brain = phantom
    mine = Volume({"T1w": volume.contrasts["T1w"]}, volume.affine, mask=brain)
    (extracted,) = BrainExtract().fit_transform([mine])
    np.testing.assert_array_equal(extracted.mask, brain)


def test_a_missing_network_names_the_extra(phantom, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepbet", None)
    volume, _ = phantom
    with pytest.raises(ImportError, match=r"pip install 'skad\[prepare\]'"):
        BrainExtract().fit_transform([Volume({"T1w": volume.contrasts["T1w"]}, volume.affine)])


def test_intensities_and_maps_stay_as_they_are(phantom):
    volume, _ = phantom
    step = BrainExtract(method="template")
    (extracted,) = step.fit_transform([volume])
    np.testing.assert_array_equal(extracted.contrasts["T1w"], volume.contrasts["T1w"])
    anomaly = np.random.default_rng(0).normal(size=volume.shape)
    np.testing.assert_array_equal(step.inverse_transform([anomaly], [extracted])[0], anomaly)
