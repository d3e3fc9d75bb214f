"""A mistake of the user: exit code 2, one line that names the file and the remedy, nothing half-written."""

import gzip
import pickle
import shutil

import nibabel
import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from skad.derivatives.naming import check_distinct
from skad.persistence import save

# half of these scans are unlike any training; that they are told apart is tested elsewhere
pytestmark = pytest.mark.filterwarnings("ignore::skad.calibration.UnlikeTrainingWarning")


def truncate(anat):
    path = anat / "sub-04_T1w.nii.gz"
    path.write_bytes(path.read_bytes()[:-200])
    return [path.name, "copy or convert it again"]


def not_nifti(anat):
    path = anat / "sub-04_T1w.nii.gz"
    path.write_bytes(gzip.compress(b"no scan at all" * 100))
    return [path.name, "convert it"]


def with_values(change):
    def spoil(anat):
        path = anat / "sub-04_T1w.nii.gz"
        image = nibabel.load(path)
        voxels = change(image.get_fdata(dtype=np.float32))
        nibabel.save(nibabel.Nifti1Image(voxels, image.affine), path)
        return path.name

    return spoil


def put(value):
    def change(voxels):
        voxels[9, 9, 3] = value
        return voxels

    return change


def holes(value):
    spoil = with_values(put(value))
    return lambda anat: [spoil(anat), "give a mask"]


def four_dimensional(anat):
    return [with_values(lambda voxels: np.stack([voxels, voxels], axis=-1))(anat), "extract the volume"]


def other_shape(anat):
    return [with_values(lambda voxels: voxels[:-1])(anat), "sub-04_FLAIR.nii.gz", "resample one"]


def all_background(anat):
    for name in ("T1w", "FLAIR"):
        path = anat / f"sub-04_{name}.nii.gz"
        image = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(np.zeros(image.shape, np.float32), image.affine), path)
    return ["sub-04", "check its images"]


def constant(anat):
    spoil = with_values(lambda voxels: (voxels > 0).astype(np.float32))
    spoil(anat)
    return ["T1w of subject 'sub-04'", "is constant", "leave the subject out"]


DAMAGES = {
    "truncated": truncate,
    "not NIfTI": not_nifti,
    "NaN without a mask": holes(np.nan),
    "infinity without a mask": holes(np.inf),
    "4-D": four_dimensional,
    "shapes that disagree": other_shape,
    "all background": all_background,
    "constant": constant,
}


@pytest.fixture
def damaged(request, tmp_path, brain, write_subject):
    """A folder of one subject that is damaged, and the words a message should hold."""
    anat = write_subject(tmp_path / "in", brain(4))
    return tmp_path / "in", DAMAGES[request.param](anat)


def is_one_sentence(lines, words):
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    assert lines[0].endswith((".", "?"))
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize("damaged", DAMAGES, indirect=True)
def test_fit_names_a_damaged_scan_and_leaves_nothing(damaged, tmp_path, run, fast):
    folder, words = damaged
    code, _, err = run("fit", folder, "--method", "adm", "--out", tmp_path / "out" / "adm.skad", *fast)
    assert code == 2
    is_one_sentence(err, words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damaged", DAMAGES, indirect=True)
def test_score_names_a_damaged_scan_and_leaves_nothing(damaged, detector, tmp_path, run):
    folder, words = damaged
    code, _, err = run("score", detector, folder, "--out", tmp_path / "out")
    assert code == 2
    is_one_sentence(err, words)
    assert not (tmp_path / "out").exists()


def test_one_corrupt_file_of_twenty_costs_one_map(detector, tmp_path, write_cohort, run):
    folder = write_cohort(tmp_path / "in", 20)
    path = folder / "sub-07/anat/sub-07_T1w.nii.gz"
    path.write_bytes(path.read_bytes()[:-200])
    code, out, err = run("score", detector, folder, "--out", tmp_path / "maps", "--no-figures")
    assert code == 1
    is_one_sentence(err, ["sub-07: ", "sub-07_T1w.nii.gz"])
    assert len(list((tmp_path / "maps").glob("sub-*/anat/*_map.nii.gz"))) == 19
    assert "19 maps" in out
    assert not list((tmp_path / "maps").glob("sub-07*"))
    assert "sub-07_T1w.nii.gz is damaged" in (tmp_path / "maps/scores.csv").read_text()


def test_a_subject_without_any_image_costs_its_map_only(
    detector, tmp_path, brain, write_subject, write_cohort, run
):
    folder = write_cohort(tmp_path / "in", 2)
    write_subject(folder, brain(4, contrasts=("T2w", "dwi")))
    code, _, err = run("score", detector, folder, "--out", tmp_path / "maps", "--no-figures")
    assert code == 1
    is_one_sentence(err, ["sub-04"])


def test_background_slices_are_no_mistake(detector, tmp_path, brain, write_subject, run):
    volume = brain(4)
    anat = write_subject(tmp_path / "in", volume)
    for name in volume.contrasts:
        with_zero = nibabel.load(anat / f"sub-04_{name}.nii.gz")
        voxels = with_zero.get_fdata(dtype=np.float32)
        voxels[..., 0] = 0
        nibabel.save(nibabel.Nifti1Image(voxels, with_zero.affine), anat / f"sub-04_{name}.nii.gz")
    assert run("score", detector, tmp_path / "in", "--out", tmp_path / "maps", "--no-figures")[0] == 0
    image = nibabel.load(tmp_path / "maps/sub-04/anat/sub-04_desc-anomaly_map.nii.gz").get_fdata()
    assert np.isnan(image[..., 0]).all() and np.isfinite(image[10, 12, 1:]).all()


def test_one_slice_is_no_mistake(detector, tmp_path, brain, write_subject, run):
    write_subject(tmp_path / "in", brain(4, shape=(20, 24, 1)))
    assert run("score", detector, tmp_path / "in", "--out", tmp_path / "maps", "--no-figures")[0] == 0
    image = nibabel.load(tmp_path / "maps/sub-04/anat/sub-04_desc-anomaly_map.nii.gz")
    assert image.shape == (20, 24, 1)
    assert np.isfinite(image.get_fdata()).any()


def test_a_contrast_that_no_subject_has_is_named(cohort, tmp_path, run, fast):
    out = tmp_path / "adm.skad"
    code, _, err = run("fit", cohort, "--method", "adm", "--out", out, "--contrasts", "T1w", "T2w", *fast)
    assert code == 2
    is_one_sentence(err, ["sub-01", "T2w", "FLAIR", "add the image, or choose other"])


def test_one_contrast_is_too_few_for_translation(cohort, tmp_path, run, fast):
    code, _, err = run("fit", cohort, "--method", "adm", "--out", tmp_path / "x", "--contrasts", "T1w", *fast)
    assert code == 2
    is_one_sentence(err, ["needs at least 2"])
    assert not list(tmp_path.iterdir())


def test_a_pickle_for_a_detector_is_refused(cohort, tmp_path, run):
    (tmp_path / "adm.skad").write_bytes(pickle.dumps({"weights": 1}))
    code, _, err = run("score", tmp_path / "adm.skad", cohort, "--out", tmp_path / "maps")
    assert code == 2
    is_one_sentence(err, ["adm.skad is a pickle", "save it again with skad.save"])
    assert not (tmp_path / "maps").exists()


def test_a_file_without_a_detector_of_volumes_is_refused(cohort, tmp_path, run):
    save(GaussianMixture().fit(np.eye(3)), tmp_path / "mixture.skad")
    code, _, err = run("score", tmp_path / "mixture.skad", cohort, "--out", tmp_path / "maps")
    assert code == 2
    is_one_sentence(err, ["mixture.skad holds a GaussianMixture", "give a file of `skad fit`"])


def test_a_label_file_that_cannot_be_drawn_costs_the_picture_only(
    detector, tmp_path, brain, write_subject, run
):
    anat = write_subject(tmp_path / "in", brain(4))
    path = anat / "sub-04_label-lesion_mask.nii.gz"
    path.write_bytes(path.read_bytes()[:-20])
    code, out, err = run("score", detector, tmp_path / "in", "--out", tmp_path / "maps")
    assert code == 1
    is_one_sentence(err, ["sub-04_label-lesion_mask.nii.gz is damaged"])
    assert "1 map in" in out and (tmp_path / "maps/sub-04/anat/sub-04_desc-anomaly_map.nii.gz").exists()


def test_a_failed_session_does_not_hide_the_other(detector, tmp_path, brain, write_subject, run):
    anat = write_subject(tmp_path / "in", brain(4))
    for session in ("ses-1", "ses-2"):
        (tmp_path / "in/sub-04" / session / "anat").mkdir(parents=True)
        for path in anat.iterdir():
            name = path.name.replace("sub-04_", f"sub-04_{session}_")
            shutil.copy(path, tmp_path / "in/sub-04" / session / "anat" / name)
    shutil.rmtree(anat)
    bad = tmp_path / "in/sub-04/ses-1/anat/sub-04_ses-1_T1w.nii.gz"
    bad.write_bytes(bad.read_bytes()[:-200])
    code, out, err = run("score", detector, tmp_path / "in", "--out", tmp_path / "maps", "--no-figures")
    assert code == 1 and "1 map in" in out
    is_one_sentence(err, ["sub-04_ses-1: ", "sub-04_ses-1_T1w.nii.gz"])
    name = "sub-04/ses-2/anat/sub-04_ses-2_desc-anomaly_map.nii.gz"
    assert [
        str(path.relative_to(tmp_path / "maps")) for path in (tmp_path / "maps").glob("**/*_map.nii.gz")
    ] == [name]


def test_a_detector_cut_short_is_refused(cohort, detector, tmp_path, run):
    (tmp_path / "adm.skad").write_bytes(detector.read_bytes()[:-10])
    code, _, err = run("score", tmp_path / "adm.skad", cohort, "--out", tmp_path / "maps")
    assert code == 2
    is_one_sentence(err, ["adm.skad", "copy it again"])


@pytest.mark.parametrize("name", ["out", "deeper/out"])
def test_a_place_that_cannot_be_written_is_named_before_any_work(name, cohort, detector, tmp_path, run, fast):
    (tmp_path / "file").write_text("in the way")
    target = tmp_path / "file" / name
    for command in (
        ["fit", cohort, "--method", "adm", "--out", target, *fast],
        ["score", detector, cohort, "--out", target],
    ):
        code, out, err = run(*command)
        assert code == 2
        is_one_sentence(err, [str(target), "choose a folder you may write to"])
        assert "learned" not in out


def test_a_folder_for_a_detector_is_refused(cohort, tmp_path, run, fast):
    code, _, err = run("fit", cohort, "--method", "adm", "--out", tmp_path, *fast)
    assert code == 2
    is_one_sentence(err, [f"{tmp_path} is a folder", "--out"])


def test_a_detector_is_not_overwritten_by_accident(cohort, tmp_path, run, fast):
    (tmp_path / "adm.skad").write_text("precious")
    code, _, err = run("fit", cohort, "--method", "adm", "--out", tmp_path / "adm.skad", *fast)
    assert code == 2
    is_one_sentence(err, ["already exists", "--overwrite"])
    assert (tmp_path / "adm.skad").read_text() == "precious"
    assert run("fit", cohort, "--method", "adm", "--out", tmp_path / "adm.skad", "--overwrite", *fast)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "amd"], ["no method 'amd'", "did you mean adm?"]),
        (["--set", "score__n_component=3"], ["no parameter", "did you mean score__n_components?"]),
        (["--set", "score__n_components"], ["should look like step__parameter=value"]),
        (["--epochs", "0"], ["max_epochs", "0"]),
        (["--epochs", "several"], ["--epochs", "several"]),
        (["--device", "cuda:77"], ["cuda:77"]),
        (["--where", "fold=train"], ["participants.tsv has no column 'fold'"]),
        (["--speed", "high"], ["--speed"]),
    ],
)  # fmt: skip
def test_an_argument_that_makes_no_sense_is_named(arguments, words, cohort, tmp_path, run):
    code, _, err = run("fit", cohort, "--out", tmp_path / "out/adm.skad", "--method", "adm", *arguments)
    assert code == 2
    is_one_sentence(err, words)
    assert not (tmp_path / "out").exists()


def test_a_wrong_value_in_the_last_step_is_found_before_the_first_one_trains(cohort, tmp_path, run, fast):
    wrong = [*fast, "score__n_components=many"]
    code, out, err = run("fit", cohort, "--method", "adm", "--out", tmp_path / "x", *wrong)
    assert code == 2 and "training" not in out
    is_one_sentence(err, ["n_components", "'many'"])


def test_a_folder_that_does_not_exist_is_named(tmp_path, run):
    code, _, err = run("fit", tmp_path / "nowhere", "--method", "adm", "--out", tmp_path / "x")
    assert code == 2
    is_one_sentence(err, ["nowhere is not a folder"])


def test_a_folder_in_no_layout_is_named(tmp_path, run):
    (tmp_path / "in").mkdir()
    code, _, err = run("fit", tmp_path / "in", "--method", "adm", "--out", tmp_path / "x")
    assert code == 2
    is_one_sentence(err, ["none of the known layouts"])


def test_evaluate_names_a_folder_without_maps(cohort, tmp_path, run):
    code, _, err = run("evaluate", tmp_path, cohort)
    assert code == 2
    is_one_sentence(err, [str(tmp_path), "give a folder of `skad score`"])


def test_evaluate_without_labels_says_what_is_missing(detector, tmp_path, brain, write_subject, run):
    anat = write_subject(tmp_path / "in", brain(4))
    (anat / "sub-04_label-lesion_mask.nii.gz").unlink()
    assert run("score", detector, tmp_path / "in", "--out", tmp_path / "maps", "--no-figures")[0] == 0
    code, _, err = run("evaluate", tmp_path / "maps", tmp_path / "in")
    assert code == 2
    is_one_sentence(err, ["has no labels", "add label-lesion masks"])


def test_evaluate_goes_on_without_a_map(detector, tmp_path, write_cohort, run):
    folder = write_cohort(tmp_path / "in", 4)
    assert run("score", detector, folder, "--out", tmp_path / "maps", "--no-figures")[0] == 0
    for name in ("sub-02", "sub-03"):
        (tmp_path / f"maps/{name}/anat/{name}_desc-anomaly_map.nii.gz").unlink()
    code, out, err = run("evaluate", tmp_path / "maps", folder)
    assert code == 1
    is_one_sentence(err, ["sub-02, sub-03: there is no map of it"])  # one line for all that failed alike
    assert "\n2 subjects" in out


def test_subjects_that_would_share_a_map_are_refused(brain):
    volumes = [brain(1), brain(2)]
    volumes[0].subject, volumes[1].subject = "case_1", "case1"
    with pytest.raises(
        ValueError, match=r"'case_1' and 'case1' would both write sub-case1_desc-.*: rename one\.$"
    ):
        check_distinct(volumes)
