"""Scans as they come, against motions, fields and brains that are known because the tests made them."""

import sys
from importlib.util import find_spec

import nibabel
import numpy as np
import pytest
from scipy import ndimage
from scipy.special import expit

from skad.io import Volume, read_volume
from skad.preparation import BiasCorrect, BrainExtract, CoRegister
from skad.preparation.bias import log_bias_field
from skad.preparation.itk import find_motion, load_simpleitk

pytestmark = pytest.mark.filterwarnings("ignore:.*lies on another grid:skad.io.GeometryWarning")
needs_simpleitk = pytest.mark.skipif(
    find_spec("SimpleITK") is None,
    reason="needs SimpleITK: pip install 'skad[prepare]'",
)
SHAPE = (36, 40, 14)
GRID = np.array([[4.0, 0.4, 0, -70], [-0.4, 4, 0.5, -80], [0, -0.5, 8, -50], [0, 0, 0, 1]])  # oblique


def head(shape=SHAPE, affine=GRID, center=(0.0, 0.0, 0.0)):
    """Tissue of an asymmetric head at the voxels of a grid, mm: an ellipsoid with two blobs inside."""
    points = affine[:3, :3] @ np.indices(shape).reshape(3, -1) + affine[:3, 3:] - np.reshape(center, (3, 1))
    x, y, z = points.reshape(3, *shape)

    def blob(cx, cy, cz, rx, ry, rz):
        return expit(8 - 8 * (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2))

    return blob(0, 0, 0, 50, 62, 42), blob(18, 20, 8, 14, 18, 16), blob(-20, -15, -8, 16, 12, 14)


def images(motion):
    """Two contrasts of one head; in the second the head moved by `motion` (mm), and its grid is another."""
    brain, first, second = head()
    other_shape, other_grid = (38, 36, 15), np.diag([4.5, 4.5, 7.5, 1.0])
    other_grid[:3, 3] = [-82, -80, -55]
    moved = head(other_shape, np.linalg.inv(motion) @ other_grid)
    return (
        (100 * (0.4 * brain + 0.5 * first + 0.2 * second), GRID),
        (900 * (0.8 * moved[0] - 0.5 * moved[1] + 0.15 * moved[2]), other_grid),
    )


def rotation(degrees, shift):
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = shift
    return matrix


MOTION = rotation(6.0, (5.0, -4.0, 6.0))


@pytest.fixture
def patient(tmp_path):
    """The two contrasts as files, read as a cohort is: the second by its header on the first's grid."""
    paths = {}
    for name, (array, affine) in zip(("T1w", "T2w"), images(MOTION), strict=True):
        paths[name] = tmp_path / f"sub-01_{name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(array.astype(np.float32), affine), paths[name])
    return read_volume(paths)


@pytest.fixture
def aligned(patient):
    return CoRegister("T1w").fit_transform([patient])[0]


def displacement(found, expected):
    """Largest distance, mm, between where two motions put the corners of the head."""
    corners = np.array([[x, y, z, 1] for x in (-50, 50) for y in (-60, 60) for z in (-40, 40)]).T
    return np.linalg.norm(((found - expected) @ corners)[:3], axis=0).max()


@needs_simpleitk
@pytest.mark.parametrize("motion", ["rigid", "affine"])
def test_a_known_motion_is_recovered_to_a_fraction_of_a_voxel(patient, motion):
    known = MOTION
    (volume,) = CoRegister("T1w", motion=motion).transform([patient])
    assert displacement(np.eye(4), known) > 8
    assert displacement(volume.info["originals"]["T2w"].motion, known) < 2  # voxels are 4 x 4 x 8 mm


@needs_simpleitk
def test_the_moved_contrast_looks_as_if_the_patient_had_not_moved(patient, aligned):
    brain, first, second = head()
    truth = 900 * (0.8 * brain - 0.5 * first + 0.15 * second)
    image = aligned.contrasts["T2w"]
    seen = np.isfinite(image) & np.isfinite(patient.contrasts["T2w"])
    before = np.abs(patient.contrasts["T2w"] - truth)[seen].mean()
    assert np.abs(image - truth)[seen].mean() < 0.2 * before


@needs_simpleitk
def test_the_contrast_that_stays_gives_the_grid_whichever_it_is(patient):
    for name in ("T1w", "T2w"):
        source = nibabel.load(patient.info["paths"][name])
        (volume,) = CoRegister(name).transform([patient])
        assert volume.shape == source.shape
        np.testing.assert_array_equal(volume.affine, source.affine)
        np.testing.assert_array_equal(volume.contrasts[name], source.get_fdata(dtype=np.float32))


@needs_simpleitk
@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_a_map_lies_on_the_grid_of_each_original_where_the_anatomy_is(aligned, kind):
    lesion = head()[1] > 0.5
    anomaly = lesion.astype(kind)
    (images_,) = CoRegister("T1w").inverse_transform([anomaly], [aligned])
    known = {"T1w": np.array([18.0, 20, 8, 1]), "T2w": MOTION @ [18.0, 20, 8, 1]}
    for name, image in images_.items():
        source = nibabel.load(aligned.info["paths"][name])
        assert image.shape == source.shape
        np.testing.assert_array_equal(image.affine, source.affine)
        assert nibabel.aff2axcodes(image.affine) == nibabel.aff2axcodes(source.affine)
        weights = np.nan_to_num(image.get_fdata())
        center = image.affine @ [*ndimage.center_of_mass(weights), 1]
        assert np.linalg.norm(center - known[name]) < 3
        volume = weights.sum() * np.prod(source.header.get_zooms())
        assert volume == pytest.approx(lesion.sum() * abs(np.linalg.det(GRID[:3, :3])), rel=0.15)


@needs_simpleitk
def test_background_of_a_map_stays_background_and_does_not_dim_its_edge(aligned):
    brain = head()[0] > 0.5
    (images_,) = CoRegister("T1w").inverse_transform([np.where(brain, 7.0, np.nan)], [aligned])
    values = images_["T2w"].get_fdata()
    np.testing.assert_allclose(values[~np.isnan(values)], 7.0, rtol=1e-5)
    truth = head((38, 36, 15), np.linalg.inv(MOTION) @ images_["T2w"].affine)[0] > 0.5
    found = ~np.isnan(values)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.95


@needs_simpleitk
def test_labels_stay_with_the_contrast_that_stays(patient):
    labels = (head()[1] > 0.5).astype(int)
    labeled = Volume(patient.contrasts.sources, patient.affine, labels=labels, mask=head()[0] > 0.5)
    (volume,) = CoRegister("T1w").transform([labeled])
    np.testing.assert_array_equal(volume.labels, labels)
    np.testing.assert_array_equal(volume.mask, head()[0] > 0.5)


@needs_simpleitk
def test_a_missing_contrast_stays_missing(patient):
    sources = {**patient.contrasts.sources, "FLAIR": np.full(SHAPE, np.nan)}
    (volume,) = CoRegister("T2w").transform([Volume(sources, patient.affine)])
    assert np.isnan(volume.contrasts["FLAIR"]).all()
    assert volume.contrasts["FLAIR"].shape == volume.shape
    assert set(volume.info["originals"]) == {"T1w", "T2w"}


def field_and_volume():
    """A known multiplicative field over a brain whose two tissues alternate, so that neither has a side."""
    brain = head()[0] > 0.5
    x, y, _ = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij")
    field = np.exp(0.35 * x + 0.25 * x * y)
    i, j, k = np.indices(SHAPE) // 3
    tissue = np.where((i + j + k) % 2, 100.0, 160.0) * brain
    noise = np.random.default_rng(0).normal(0, 1, SHAPE)
    return field, tissue, Volume({"T1w": tissue * field + noise}, GRID, mask=brain)


@needs_simpleitk
def test_n4_finds_a_known_field_and_flattens_it():
    field, tissue, volume = field_and_volume()
    (flat,) = BiasCorrect().fit_transform([volume])
    brain = volume.mask
    found = volume.contrasts["T1w"][brain] / flat.contrasts["T1w"][brain]
    assert np.corrcoef(np.log(found), np.log(field[brain]))[0, 1] > 0.95
    same_tissue = brain & (tissue == 100)

    def spread(values):
        return values[same_tissue].std() / values[same_tissue].mean()

    assert spread(flat.contrasts["T1w"]) < 0.4 * spread(volume.contrasts["T1w"])
    assert np.log(found).mean() == pytest.approx(0, abs=0.02)  # intensities keep their scale


@needs_simpleitk
def test_flat_volumes_keep_their_grid_and_their_maps():
    _, _, volume = field_and_volume()
    step = BiasCorrect()
    (flat,) = step.fit_transform([volume])
    np.testing.assert_array_equal(flat.affine, volume.affine)
    np.testing.assert_array_equal(flat.mask, volume.mask)
    anomaly = np.random.default_rng(0).normal(size=SHAPE)
    np.testing.assert_array_equal(step.inverse_transform([anomaly], [flat])[0], anomaly)


@needs_simpleitk
def test_a_mask_the_user_has_moves_with_its_contrast(aligned, tmp_path):
    source = nibabel.load(aligned.info["paths"]["T2w"])
    drawn = head(source.shape, np.linalg.inv(MOTION) @ source.affine)[0] > 0.5
    nibabel.save(nibabel.Nifti1Image(drawn.astype(np.uint8), source.affine), tmp_path / "sub-01_mask.nii.gz")
    (volume,) = BrainExtract("T2w", masks=tmp_path / "{subject}_mask.nii.gz").transform([aligned])
    truth = head()[0] > 0.5
    seen = np.isfinite(aligned.contrasts["T2w"])
    found, truth = volume.mask[seen], truth[seen]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.95


WRONG = {
    "no such contrast": (CoRegister("FLAIR"), r"Subject 's' has no contrast 'FLAIR', only T1w"),
    "no such contrast for the brain": (BrainExtract("T2w"), r"Subject 's' has no contrast 'T2w', only T1w"),
    "a motion unknown": (CoRegister("T1w", motion="elastic"), "'motion' parameter of CoRegister must be"),
    "no mask file": (BrainExtract(masks="nowhere/{subject}.nii.gz"), r"nowhere.s\.nii\.gz does not exist"),
}


@needs_simpleitk
@pytest.mark.parametrize("step, message", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_sentence(step, message):
    with pytest.raises(ValueError, match=message):
        step.transform([Volume({"T1w": np.ones(SHAPE)}, GRID, subject="s")])


def test_one_mask_for_two_patients_is_refused():
    volume = Volume({"T1w": np.ones(SHAPE)}, GRID, subject="s")
    with pytest.raises(ValueError, match=r"masks should have \{subject\}"):
        BrainExtract(masks="mask.nii.gz").transform([volume, volume])


@needs_simpleitk
def test_flat_contrasts_cannot_be_aligned_any_more():
    _, _, volume = field_and_volume()
    with pytest.raises(ValueError, match="CoRegister should come before BiasCorrect"):
        CoRegister("T1w").transform(BiasCorrect().transform([volume]))


@pytest.mark.parametrize(
    "step", [CoRegister("T1w"), BiasCorrect(), BrainExtract(method="template")], ids=repr
)
def test_without_simpleitk_the_error_names_the_extra(step, monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(ImportError, match=r"pip install 'skad\[prepare\]'"):
        step.transform([Volume({"T1w": np.ones(SHAPE)}, GRID)])


def test_a_map_of_another_shape_or_of_a_volume_that_never_moved_is_refused():
    volume = Volume({"T1w": np.ones(SHAPE)}, GRID, subject="s")
    with pytest.raises(ValueError, match=r"should have its shape \(36, 40, 14\), got \(2, 2, 2\)"):
        CoRegister("T1w").inverse_transform([np.zeros((2, 2, 2))], [volume])
    with pytest.raises(ValueError, match="'s' was not registered"):
        CoRegister("T1w").inverse_transform([np.zeros(SHAPE)], [volume])
    with pytest.raises(ValueError, match="one map for each of the 1 volumes, got 0"):
        CoRegister("T1w").inverse_transform([], [volume])


@needs_simpleitk
def test_equal_images_give_the_same_motion_and_field_to_the_last_bit():
    fixed, moving = images(MOTION)
    assert len({find_motion(fixed, moving, motion="rigid").tobytes() for _ in range(3)}) == 1
    assert len({log_bias_field(fixed[0] + 1, GRID)[0].tobytes() for _ in range(3)}) == 1


@needs_simpleitk
def test_simpleitk_has_its_threads_back_afterwards():
    process = load_simpleitk().ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads()
    find_motion(*images(MOTION), motion="rigid")
    assert process.GetGlobalDefaultNumberOfThreads() == before
