"""A folder of scans to a BIDS folder of scans that agree: what is written, resumed and put back."""

import json
import os
import signal
from importlib.util import find_spec

import nibabel
import numpy as np
import pytest
from scipy.ndimage import binary_erosion
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

from skad.cli import main
from skad.datasets import load_bids
from skad.io import save_image, to_image
from skad.preparation import make_preparation, prepare_cohort, restore_map
from skad.utils.workers import WorkerDiedError

pytestmark = [
    pytest.mark.skipif(find_spec("SimpleITK") is None, reason="needs SimpleITK: pip install 'skad[prepare]'"),
    pytest.mark.filterwarnings("ignore:.*lies on another grid"),  # which is what preparation is for
]
SHAPES = {"T1w": (20, 24, 16), "FLAIR": (19, 21, 13)}  # lattices half a voxel apart
CENTERS = {"T1w": (0.0, 0.0, 0.0), "FLAIR": (6.0, -6.0, 8.0)}  # mm: the patient moved


def write_subject(folder, subject, mask=True):
    """Two contrasts of one ellipsoid with a bright corner, each on a grid of its own, and a brain mask."""
    anat = folder / subject / "anat"
    anat.mkdir(parents=True)
    for name, shape in SHAPES.items():
        affine = np.diag([7.0, 7.0, 9.0, 1.0])
        affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
        x, y, z = (
            affine[:3, :3] @ np.indices(shape).reshape(3, -1)
            + affine[:3, 3:]
            - np.reshape(CENTERS[name], (3, 1))
        ).reshape(3, *shape)
        brain = (x / 55) ** 2 + (y / 68) ** 2 + (z / 55) ** 2 < 1
        corner = np.exp(-((x - 20) ** 2 + (y - 25) ** 2 + (z - 10) ** 2) / (2 * 22**2))
        image = (100 + 80 * corner + x) * brain
        nibabel.save(nibabel.Nifti1Image(image.astype("f4"), affine), anat / f"{subject}_{name}.nii.gz")
        if mask and name == "T1w":
            path = anat / f"{subject}_label-brain_mask.nii.gz"
            nibabel.save(nibabel.Nifti1Image(brain.astype("u1"), affine), path)


@pytest.fixture
def scans(tmp_path):
    for subject in ("sub-01", "sub-02"):
        write_subject(tmp_path / "scans", subject)
    return tmp_path / "scans"


def prepared(scans, out, **options):
    volumes = load_bids(scans, contrasts=["T1w", "FLAIR"])
    return list(prepare_cohort(volumes, out, make_preparation("T1w", bias=False), **options))


def test_what_is_written_is_a_folder_that_is_read_again(scans, tmp_path):
    prepared(scans, tmp_path / "out")
    volumes = load_bids(tmp_path / "out", contrasts=["T1w", "FLAIR"])
    assert [volume.subject for volume in volumes] == ["sub-01", "sub-02"]
    assert volumes[0].shape == SHAPES["T1w"]
    for name in SHAPES:
        assert (volumes[0].contrasts[name][~volumes[0].mask] == 0).all()


def test_every_subject_is_logged_with_what_came_of_it(scans, tmp_path, caplog):
    volumes = load_bids(scans, contrasts=["T1w", "FLAIR"])
    (scans / "sub-02/anat/sub-02_FLAIR.nii.gz").write_bytes(b"damaged")
    with caplog.at_level("INFO", logger="skad"):
        list(prepare_cohort(volumes, tmp_path / "out", make_preparation("T1w", bias=False)))
    first, second = (line for line in caplog.messages if line.startswith("prepare "))
    assert first.startswith("prepare 1/2: sub-01: done")
    assert second.startswith("prepare 2/2: sub-02: failed: ") and "sub-02_FLAIR.nii.gz" in second


def test_the_motion_between_the_contrasts_is_recorded(scans, tmp_path):
    ((_, first), _) = prepared(scans, tmp_path / "out")
    contrasts = json.loads(first.record.read_text())["Contrasts"]
    np.testing.assert_array_equal(contrasts["T1w"]["MotionToSource"], np.eye(4))
    center = np.array(contrasts["FLAIR"]["MotionToSource"]) @ [0, 0, 0, 1]
    np.testing.assert_allclose(center[:3], CENTERS["FLAIR"], atol=4.5)  # mm: half a voxel


def test_a_map_goes_back_onto_each_original_scan(scans, tmp_path):
    prepared(scans, tmp_path / "out")
    (volume, _) = load_bids(tmp_path / "out", contrasts=["T1w", "FLAIR"])
    path = tmp_path / "maps" / "sub-01_desc-anomaly_map.nii.gz"
    save_image(to_image(np.where(volume.mask, volume.contrasts["T1w"], np.nan), volume), path)
    restored = restore_map(path, tmp_path / "out")
    for name, image in restored.items():
        original = nibabel.load(scans / "sub-01" / "anat" / f"sub-01_{name}.nii.gz")
        np.testing.assert_array_equal(image.affine, original.affine)
        known = np.isfinite(image.get_fdata()) & binary_erosion(original.get_fdata() > 0, iterations=2)
        assert known.sum() > 500
        assert np.corrcoef(image.get_fdata()[known], original.get_fdata()[known])[0, 1] > 0.95


def test_resuming_keeps_complete_subjects_and_redoes_changed_ones(scans, tmp_path):
    first = [result.record.stat().st_mtime_ns for _, result in prepared(scans, tmp_path / "out")]
    changed = scans / "sub-02" / "anat" / "sub-02_FLAIR.nii.gz"
    image = nibabel.load(changed)
    nibabel.save(nibabel.Nifti1Image(image.get_fdata() * 2, image.affine), changed)
    again = [result.record.stat().st_mtime_ns for _, result in prepared(scans, tmp_path / "out", resume=True)]
    assert again[0] == first[0]
    assert again[1] != first[1]


def test_one_bad_subject_ends_nothing(scans, tmp_path):
    damaged = scans / "sub-01" / "anat" / "sub-01_FLAIR.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    (_, failed), (_, fine) = prepared(scans, tmp_path / "out")
    assert "sub-01_FLAIR" in str(failed)
    assert fine.name == "sub-02"


class Killed(BaseEstimator, TransformerMixin):
    """A step that kills its process, as the system does when memory runs out, for one subject."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        if X[0].subject == "sub-02":
            os.kill(os.getpid(), signal.SIGKILL)
        return X


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_process_costs_its_subject_only(scans, tmp_path):
    write_subject(scans, "sub-03")
    steps = Pipeline([("killed", Killed()), *make_preparation("T1w", bias=False).steps])
    volumes = load_bids(scans, contrasts=["T1w", "FLAIR"])
    results = {v.subject: result for v, result in prepare_cohort(volumes, tmp_path / "out", steps, n_jobs=2)}
    assert isinstance(results.pop("sub-02"), WorkerDiedError)
    assert {name: result.name for name, result in results.items()} == {each: each for each in results}
    assert sorted(results) == ["sub-01", "sub-03"]


def test_the_command_leaves_a_page_and_warns_of_small_brains(scans, tmp_path, capsys):
    arguments = [str(scans), "--out", str(tmp_path / "out"), "--to", "T1w", "--no-bias"]
    assert main(["prepare", *arguments]) == 0
    assert "as if the patient had not moved" not in capsys.readouterr().err
    page = (tmp_path / "out" / "quality.html").read_text()
    assert "sub-01/figures/sub-01_desc-preparation.png" in page
    record = json.loads((tmp_path / "out/sub-01/anat/sub-01_desc-preparation.json").read_text())
    assert record["Contrasts"]["FLAIR"]["Source"].endswith("sub-01_FLAIR.nii.gz")
    assert main(["prepare", *arguments]) == 2
    assert "--resume or --overwrite" in capsys.readouterr().err


def test_a_mask_on_the_contrast_that_stays_is_kept_voxel_by_voxel(scans, tmp_path):
    arguments = [str(scans), "--out", str(tmp_path / "out"), "--to", "T1w", "--no-bias"]
    assert main(["prepare", *arguments]) == 0
    drawn, kept = (
        nibabel.load(folder / "sub-01" / "anat" / "sub-01_label-brain_mask.nii.gz").get_fdata()
        for folder in (scans, tmp_path / "out")
    )
    np.testing.assert_array_equal(kept, drawn)


def test_dicom_is_told_with_the_converter(tmp_path, capsys):
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "0001.dcm").write_bytes(b"\0" * 128 + b"DICM")
    assert main(["prepare", str(tmp_path / "dicom"), "--out", str(tmp_path / "out")]) == 2
    assert "dcm2niix" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_files_of_one_patient_are_prepared_and_progress_is_told(scans, tmp_path, capsys):
    anat = scans / "sub-01" / "anat"
    images = [f"{name}={anat / f'sub-01_{name}.nii.gz'}" for name in ("FLAIR", "T1w")]
    masks = ["--masks", str(anat / "sub-01_label-brain_mask.nii.gz"), "--brain", "template", "--no-bias"]
    arguments = ["--image", *images, "--to", "T1w", "--out", str(tmp_path / "out"), *masks]
    assert main(["prepare", *arguments]) == 0
    err = capsys.readouterr().err
    assert "as if the patient had not moved" not in err
    assert "sub-01: CoRegister" in err and "prepare 1/1: sub-01: " in err
    (volume,) = load_bids(tmp_path / "out", contrasts=["T1w", "FLAIR"])
    assert volume.shape == SHAPES["T1w"]
