import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skad.io import Volume
from skad.preprocessing import VolumePreprocessor

SHAPE = (20, 24, 7)
AFFINE = np.diag([-2.0, -2, 5, 1])  # stored as axial slices are: rows back, columns left


def subject(name="sub-1", seed=0, contrasts=("T1w", "FLAIR"), **kwargs):
    """A box of noise in zeros, foreground in slices 1 to 5."""
    rng = np.random.default_rng(seed)
    images = {}
    for contrast in contrasts:
        images[contrast] = np.zeros(SHAPE)
        images[contrast][4:16, 5:20, 1:6] = rng.gamma(5, size=(12, 15, 5)) + 1
    return Volume(images, AFFINE, subject=name, **kwargs)


def labels(*slices):
    y = np.zeros(SHAPE, int)
    y[8:11, 9:13, list(slices)] = 2
    return y


def test_a_stack_holds_the_slices_of_all_subjects_in_order():
    stack = VolumePreprocessor(size=(24, 20)).fit_transform([subject("b"), subject("a", 1)])
    assert stack.X.shape == (10, 2, 24, 20)
    assert stack.X.dtype == np.float32
    assert stack.X.flags.c_contiguous
    assert stack.groups.tolist() == ["b"] * 5 + ["a"] * 5
    assert stack.slice_index.tolist() == [1, 2, 3, 4, 5] * 2
    assert stack.volume_index.tolist() == [0] * 5 + [1] * 5
    assert stack.contrasts == ("T1w", "FLAIR")


def test_slices_are_the_volumes_own_pixels():
    volume = subject()
    stack = VolumePreprocessor(size=(24, 20), intensity=None, mask="nonzero", size_mode="crop").fit_transform(
        [volume]
    )
    expected = np.where(volume.contrasts["FLAIR"] == 0, np.nan, volume.contrasts["FLAIR"])
    np.testing.assert_array_equal(stack.X[2, 1], expected[:, :, 3].T)


def test_zscore_has_mean_zero_and_variance_one_in_each_subject_and_contrast():
    stack = VolumePreprocessor(size=(24, 20), size_mode="crop").fit_transform([subject(), subject("2", 1)])
    for index in (0, 1):
        X = stack.X[stack.volume_index == index]
        np.testing.assert_allclose(np.nanmean(X, axis=(0, 2, 3)), 0, atol=1e-5)
        np.testing.assert_allclose(np.nanstd(X, axis=(0, 2, 3)), 1, atol=1e-5)


def test_all_slices_are_kept_when_asked():
    stack = VolumePreprocessor(size=(24, 20), slices="all").fit_transform([subject()])
    assert np.isnan(stack.X).all(axis=(1, 2, 3)).tolist() == [True, *[False] * 5, True]


def test_labels_follow_the_images():
    stack = VolumePreprocessor(size=(24, 20), size_mode="crop").fit_transform([subject(labels=labels(2, 3))])
    assert stack.y.any(axis=(1, 2)).tolist() == [False, True, True, False, False]
    np.testing.assert_array_equal(stack.y[1], labels(2)[:, :, 2].T)


def test_labels_are_none_when_one_subject_has_none():
    assert (
        VolumePreprocessor(size=(24, 20)).fit_transform([subject(labels=labels(2)), subject("2")]).y is None
    )


def test_the_background_is_the_same_in_every_contrast():
    stack = VolumePreprocessor(size=(17, 13)).fit_transform([subject()])
    np.testing.assert_array_equal(np.isnan(stack.X[:, 0]), np.isnan(stack.X[:, 1]))


def test_a_missing_contrast_stays_nan_and_the_others_do_not_care():
    whole = subject()
    part = Volume({"T1w": whole.contrasts["T1w"], "FLAIR": np.full(SHAPE, np.nan)}, AFFINE)
    stack = VolumePreprocessor(size=(24, 20)).fit([whole]).transform([part])
    assert np.isnan(stack.X[:, 1]).all()
    np.testing.assert_array_equal(
        stack.X[:, 0], VolumePreprocessor(size=(24, 20)).fit_transform([whole]).X[:, 0]
    )


def test_contrasts_are_found_by_name_not_by_position():
    prepare = VolumePreprocessor(size=(24, 20)).fit([subject()])
    volume = subject(contrasts=("T1w", "FLAIR"))
    turned = Volume({"FLAIR": volume.contrasts["FLAIR"], "T1w": volume.contrasts["T1w"]}, AFFINE)
    np.testing.assert_array_equal(prepare.transform([turned]).X, prepare.transform([volume]).X)


def test_voxels_that_are_nan_outside_the_mask_do_no_harm():
    volume, mask = subject(), np.zeros(SHAPE, bool)
    mask[4:16, 5:20, 1:6] = True
    holes = {name: np.where(mask, volume.contrasts[name], np.nan) for name in volume.contrasts}
    prepare = VolumePreprocessor(voxel_size=(1.5, 1.5, 4), size=(40, 40))
    stack = prepare.fit_transform([Volume(holes, AFFINE, mask=mask)])
    assert np.isfinite(stack.X[:, 0]).any(axis=(1, 2)).all()
    assert np.abs(np.nanmean(stack.X)) < 0.2


def test_files_for_large_cohorts_hold_the_same_numbers(tmp_path):
    volumes = [subject(labels=labels(1)), subject("2", 1, labels=labels(3))]
    prepare = VolumePreprocessor(size=(24, 20))
    expected, stack = prepare.fit_transform(volumes), prepare.fit_transform(volumes, out=tmp_path / "x.npy")
    assert isinstance(stack.X, np.memmap)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "x_labels.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected.X)
    np.testing.assert_array_equal(stack.y, expected.y)


def test_a_bad_subject_leaves_no_half_written_file(tmp_path):
    prepare = VolumePreprocessor(size=(24, 20)).fit([subject()])
    with pytest.raises(ValueError, match="sub-bad"):
        prepare.transform(
            [subject(), Volume({"T1w": np.ones(SHAPE)}, AFFINE, subject="sub-bad")], out=tmp_path / "x.npy"
        )
    assert not list(tmp_path.iterdir())


def test_several_jobs_give_what_one_gives():
    volumes = [subject(str(i), i) for i in range(3)]
    one = VolumePreprocessor(size=(24, 20)).fit_transform(volumes)
    with joblib.parallel_config("threading"):  # processes take seconds to start
        two = VolumePreprocessor(size=(24, 20), n_jobs=2).fit_transform(volumes)
    np.testing.assert_array_equal(one.X, two.X)


def test_fit_reads_no_voxel_unless_intensities_are_learned():
    class Trap:
        shape, where = SHAPE, "trap"

        def load(self):
            raise AssertionError

    assert VolumePreprocessor().fit([Volume({"T1w": Trap()}, AFFINE)]).contrasts_ == ("T1w",)


def test_white_matter_landmarks_are_learned_in_fit_and_used_later():
    volumes = [subject(str(i), i) for i in range(3)]
    prepare = VolumePreprocessor(size=(24, 20), intensity="whitematter").fit(volumes)
    assert prepare.landmarks_.shape == (2, 9)
    np.testing.assert_allclose(prepare.landmarks_[:, [0, 4, 8]], [[-1, 0, 1]] * 2, atol=1e-4)
    X = prepare.transform(volumes).X
    assert (np.nanmin(X), np.nanmax(X)) == (-1, 1)


def test_intensities_can_be_given_back_in_scanner_units():
    volume = subject()
    stack = VolumePreprocessor(size=(24, 20), size_mode="crop").fit_transform([volume])
    back = stack.placements[0].intensities["T1w"].inverse(stack.X[:, 0])
    np.testing.assert_allclose(np.nanmax(back), volume.contrasts["T1w"].max(), rtol=1e-5)


def test_the_same_pixels_whatever_the_stored_orientation():
    volume = subject(labels=labels(2))
    flipped = Volume(
        {name: volume.contrasts[name][::-1, :, ::-1].transpose(2, 0, 1) for name in volume.contrasts},
        (AFFINE @ [[-1, 0, 0, 19], [0, 1, 0, 0], [0, 0, -1, 6], [0, 0, 0, 1]])[:, [2, 0, 1, 3]],
        labels=volume.labels[::-1, :, ::-1].transpose(2, 0, 1),
    )
    prepare = VolumePreprocessor(size=(15, 16))
    np.testing.assert_array_equal(prepare.fit_transform([volume]).X, prepare.fit_transform([flipped]).X)
    np.testing.assert_array_equal(prepare.fit_transform([volume]).y, prepare.fit_transform([flipped]).y)


def test_zero_outside_when_asked():
    prepare = VolumePreprocessor(size=(24, 20), outside="zero")
    stack = prepare.fit_transform([subject()])
    assert prepare.inverse_transform(stack.X[:, 0], stack)[0].get_fdata()[0, 0, 0] == 0


def test_one_slice_is_enough():
    volume = Volume({"T1w": subject().contrasts["T1w"][:, :, 3:4]}, AFFINE)
    prepare = VolumePreprocessor(size=(24, 20))
    stack = prepare.fit_transform([volume])
    assert stack.X.shape == (1, 1, 24, 20)
    assert prepare.inverse_transform(stack.X[:, 0], stack)[0].shape == (20, 24, 1)


def test_maps_of_another_stack_are_refused():
    prepare = VolumePreprocessor(size=(24, 20))
    stack = prepare.fit_transform([subject()])
    with pytest.raises(ValueError, match=r"maps should have shape \(5, 24, 20\), got \(4, 24, 20\)"):
        prepare.inverse_transform(stack.X[:4, 0], stack)


def test_cropping_foreground_away_warns_and_its_map_is_nan():
    prepare = VolumePreprocessor(size=(10, 10), size_mode="crop")
    with pytest.warns(UserWarning, match=r"cuts off foreground of subject 'sub-1': choose a larger size"):
        stack = prepare.fit_transform([subject()])
    native = prepare.inverse_transform(stack.X[:, 0], stack)[0].get_fdata()
    assert np.isfinite(native).sum() == 5 * 10 * 10


@pytest.mark.parametrize(
    ("kwargs", "mode"),
    [({}, "resize"), ({"voxel_size": 2.0}, "crop"), ({"voxel_size": 2.0, "size_mode": "resize"}, "resize")],
)
def test_pixels_keep_their_size_when_a_voxel_size_is_asked_for(kwargs, mode):
    stack = VolumePreprocessor(size=(60, 60), **kwargs).fit_transform([subject()])
    width = np.isfinite(stack.X[2, 0]).any(axis=0).sum()
    assert width == {"resize": 12 * 60 // 24, "crop": 12}[mode]


def test_a_voxel_size_of_three_is_right_left_then_front_back_then_up():
    stack = VolumePreprocessor(voxel_size=(4, 2, 2.5), size=(60, 60)).fit_transform([subject()])
    foreground = np.isfinite(stack.X[len(stack) // 2, 0])
    assert foreground.any(axis=0).sum() == pytest.approx(12 * 2 / 4, abs=1)
    assert foreground.any(axis=1).sum() == pytest.approx(15 * 2 / 2, abs=1)
    assert len(stack) == pytest.approx(5 * 5 / 2.5, abs=1)


def bad(case):
    image, mask = subject().contrasts["T1w"], np.zeros(SHAPE, bool)
    if case == "constant":
        return Volume(
            {"T1w": np.where(image > 0, 3.0, 0)}, AFFINE, subject="sub-x", info={"paths": {"T1w": "x.nii"}}
        )
    if case == "no foreground":
        return Volume({"T1w": image}, AFFINE, subject="sub-x", mask=mask, info={"paths": {"mask": "m.nii"}})
    if case == "zeros":
        return Volume({"T1w": np.zeros(SHAPE)}, AFFINE, subject="sub-x")
    if case == "lacks":
        return Volume({"T2w": image}, AFFINE, subject="sub-x")
    return Volume({"T1w": np.full(SHAPE, np.nan)}, AFFINE, subject="sub-x")


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("constant", r"T1w of subject 'sub-x' \(x.nii\) is constant in the foreground"),
        ("no foreground", r"Subject 'sub-x' \(m.nii\) has no foreground voxel with mask='auto'"),
        ("zeros", r"Subject 'sub-x' has no foreground voxel"),
        ("lacks", r"Subject 'sub-x' has no contrast 'T1w', only T2w"),
        ("missing", r"Subject 'sub-x' has none of the contrasts T1w"),
    ],
)
def test_a_subject_that_cannot_be_used_is_named(case, message):
    prepare = VolumePreprocessor().fit([subject(contrasts=("T1w",))])
    with pytest.raises(ValueError, match=message):
        prepare.transform([bad(case)])


def test_a_given_mask_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match=r"Subject 'sub-1' has no mask"):
        VolumePreprocessor(mask="given").fit_transform([subject()])


def test_landmarks_of_a_contrast_nobody_has_cannot_be_learned():
    volume = Volume({"T1w": subject().contrasts["T1w"], "FLAIR": np.full(SHAPE, np.nan)}, AFFINE)
    with pytest.raises(ValueError, match="No subject has the contrast 'FLAIR'"):
        VolumePreprocessor(intensity="whitematter").fit([volume])


@pytest.mark.parametrize(
    "kwargs",
    [
        {"voxel_size": 0},
        {"voxel_size": (1, 2)},
        {"voxel_size": (1, 0, 2)},
        {"size": (128,)},
        {"size": (0, 5)},
        {"size": 128},
        {"size_mode": "scale"},
        {"intensity": "minmax"},
        {"mask": "bet"},
        {"outside": 0},
        {"slices": "some"},
    ],
)
def test_parameters_outside_their_domain_are_refused_in_fit(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        VolumePreprocessor(**kwargs).fit([subject()])


@pytest.mark.parametrize("volumes", [[], subject(), [np.ones(SHAPE)]])
def test_what_is_no_list_of_volumes_is_refused(volumes):
    with pytest.raises(ValueError, match="list of at least one Volume"):
        VolumePreprocessor().fit(volumes)


def test_transform_before_fit_says_so():
    with pytest.raises(NotFittedError):
        VolumePreprocessor().transform([subject()])


def test_clone_and_pickle_keep_parameters_and_what_was_learned():
    prepare = VolumePreprocessor(size=(24, 20), intensity="whitematter").fit([subject()])
    assert clone(prepare).get_params() == prepare.get_params()
    copy = pickle.loads(pickle.dumps(prepare))
    np.testing.assert_array_equal(copy.transform([subject()]).X, prepare.transform([subject()]).X)


def test_a_stack_prints_in_one_line():
    stack = VolumePreprocessor(size=(24, 20)).fit_transform([subject(labels=labels(2))])
    assert repr(stack) == "SliceStack(5 slices of 1 volumes, T1w + FLAIR, 24x20 pixels, with labels)"
    assert len(stack) == 5


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_voxels": 503}, "9x8x7 voxels as stored"),
        ({"voxel_size": 0.01, "max_voxels": 10**8}, "voxels at a voxel size of"),
    ],
)
def test_a_volume_that_would_be_too_large_is_refused_before_it_is_read(parameters, message):
    class Unread:
        shape, where = (7, 8, 9), "unread"

        def load(self):
            raise AssertionError("its voxels are read")

    volume = Volume({"T1w": Unread()}, np.eye(4), subject="sub-7")
    with pytest.raises(ValueError, match=rf"Subject 'sub-7' has .*{message}.* more than max_voxels="):
        VolumePreprocessor(**parameters).fit([volume]).transform([volume])


def test_an_axis_beyond_reason_is_refused_before_its_weights_are_made():
    volume = Volume({"T1w": np.ones((2049, 1, 1), np.uint8)}, np.eye(4), subject="sub-7")
    with pytest.raises(
        ValueError, match="Subject 'sub-7' has 2049 voxels along an axis as stored, more than 2048"
    ):
        VolumePreprocessor().fit([volume]).transform([volume])
