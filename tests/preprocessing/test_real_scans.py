import nibabel
import numpy as np
import pytest

from skad.datasets import load, load_bids
from skad.preprocessing import VolumePreprocessor

pytestmark = pytest.mark.filterwarnings("ignore:.*lies on another grid:skad.io.GeometryWarning")
GLIOMA = ("T1w", "FLAIR", "ce-gadolinium_T1w")


def glioma(real_data, fold):
    volumes = load_bids(real_data / "glioma", contrasts=GLIOMA)
    return [volume for volume in volumes if volume.info["fold"] == fold]


def test_the_training_patients_have_372_slices_without_lesion(real_data):
    stack = VolumePreprocessor().fit_transform(glioma(real_data, "train"))
    assert len(stack.volumes) == 48
    assert (~stack.y.any(axis=(1, 2))).sum() == 372


def test_the_validation_patients_have_254_slices_143_with_lesion(real_data):
    stack = VolumePreprocessor().fit_transform(glioma(real_data, "validation"))
    foreground = ~np.isnan(stack.X).any(axis=1)
    assert (len(stack), stack.y.any(axis=(1, 2)).sum()) == (254, 143)
    assert (stack.y > 0)[foreground].mean() == pytest.approx(0.059, abs=5e-4)


def test_glioma_slices_are_the_files_pixels_normalized_in_the_brain(real_data):
    volume = glioma(real_data, "validation")[0]
    stack = VolumePreprocessor().fit_transform([volume])
    stored, mask = (
        np.asarray(nibabel.load(volume.info["paths"][name]).dataobj).astype(float)
        for name in ("FLAIR", "mask")
    )
    brain = stored[mask > 0]
    expected = np.where(mask > 0, (stored - brain.mean()) / brain.std(), np.nan)
    np.testing.assert_allclose(stack.X[:, 1], expected.T[stack.slice_index], atol=1e-5)


@pytest.mark.parametrize("name", ["ms", "clinical", "glioma"])
@pytest.mark.parametrize("kwargs", [{}, {"voxel_size": 3.0, "size": (96, 96)}], ids=["native", "3 mm"])
def test_the_brightest_voxels_come_back_in_the_files_own_space(real_data, name, kwargs):
    volume = load(real_data / name)[0]
    prepare = VolumePreprocessor(intensity="range", **kwargs)
    stack = prepare.fit_transform([volume])
    (native,) = prepare.inverse_transform(stack.X[:, 0], stack)
    source = nibabel.load(volume.info["paths"][stack.contrasts[0]])
    np.testing.assert_array_equal(native.affine, source.affine)
    assert native.shape == source.shape
    assert nibabel.aff2axcodes(native.affine) == nibabel.aff2axcodes(source.affine)
    scores, image = native.get_fdata(), source.get_fdata()
    known = ~np.isnan(scores)
    assert np.corrcoef(scores[known], image[known])[0, 1] > 0.75


def test_the_clinical_scans_come_onto_one_grid(real_data):
    (volume,) = load(real_data / "clinical", contrasts=("T1w", "FLAIR", "T2w", "ce-gadolinium_T1w"))
    assert volume.shape == (256, 224, 26)
    assert {volume.contrasts[name].shape for name in volume.contrasts} == {(256, 224, 26)}
    stack = VolumePreprocessor(size=(64, 64)).fit_transform([volume])
    head = ~np.isnan(stack.X[:, 0])
    assert 0.3 < head.mean() < 0.6


def test_the_lesions_of_the_ms_patient_are_bright_on_flair_after_resizing(real_data):
    stack = VolumePreprocessor(size=(96, 96)).fit_transform(load(real_data / "ms", contrasts=("FLAIR",)))
    brain = ~np.isnan(stack.X[:, 0])
    lesion = (stack.y > 0) & brain
    assert np.median(stack.X[:, 0][lesion]) > np.quantile(stack.X[:, 0][brain], 0.9)
