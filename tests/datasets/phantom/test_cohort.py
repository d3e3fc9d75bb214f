"""The phantom: physics against closed forms, images against what radiologists expect, ground truth, seeds."""

from functools import cache
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from skad.datasets import make_phantom
from skad.datasets.phantom import CONTRASTS, LESION_CLASSES, TISSUES
from skad.datasets.phantom.fields import smooth_field
from skad.datasets.phantom.signal import (
    MATERIALS,
    Tissue,
    enhanced,
    inversion_recovery,
    nulling_time,
    rician,
    spin_echo,
)
from skad.datasets.phantom.site import Part, Site, label_map

SHAPE = (32, 40, 12)  # unequal, so that a swapped axis shows
KINDS = {
    "glioma": ("core", "enhancing_rim", "edema"),
    "metastasis": ("metastasis",),
    "cavity": ("cavity",),
    "stroke": ("stroke",),
    "ms": ("ms_plaque",),
    "structural": ("structural",),
    "extracranial": ("extracranial",),
}


@cache
def subject(lesion, seed=3, **options):
    skull = lesion == "extracranial"
    options = {"skull": skull, "shape": SHAPE, "contrasts": CONTRASTS, **options}
    return make_phantom(1, lesion=lesion, random_state=seed, **options)[0]


def pair(kind, seed=3):
    """A patient and the same person before the lesion."""
    return subject(kind, seed), subject(None, seed, skull=kind == "extracranial")


def tissue_mean(volume, contrast, *names):
    values = [TISSUES[name] for name in names]
    return volume.contrasts[contrast][np.isin(volume.info["tissues"], values)].mean()


class TestPhysics:
    def test_a_spin_echo_has_half_recovered_after_t1_ln_2(self):
        tissue = Tissue(t1=800, t2=90, density=0.7, diffusivity=1)
        assert spin_echo(tissue, tr=800 * np.log(2), te=0) == pytest.approx(0.35)

    def test_a_spin_echo_decays_to_1_over_e_in_t2(self):
        tissue = Tissue(t1=800, t2=90, density=0.7, diffusivity=1)
        ratio = spin_echo(tissue, tr=500, te=100) / spin_echo(tissue, tr=500, te=10)
        assert ratio == pytest.approx(np.exp(-1))

    @given(t1=st.floats(100, 5000), tr=st.floats(2000, 20000))
    def test_the_nulling_time_nulls_its_tissue(self, t1, tr):
        tissue = Tissue(t1=t1, t2=100, density=1, diffusivity=1)
        assert inversion_recovery(tissue, tr=tr, te=0, ti=nulling_time(t1, tr)) == pytest.approx(0, abs=1e-9)

    def test_an_inversion_without_delay_gives_minus_the_saturated_signal(self):
        tissue = Tissue(t1=900, t2=80, density=1, diffusivity=1)
        inverted = inversion_recovery(tissue, tr=2000, te=30, ti=0)
        assert inverted == pytest.approx(spin_echo(tissue, tr=2000, te=30))

    def test_contrast_agent_adds_its_concentration_times_relaxivity_to_the_rates(self):
        tissue = enhanced(Tissue(t1=1000, t2=100, density=1, diffusivity=1, gadolinium=1.0))
        assert 1000 / tissue.t1 == pytest.approx(1 + 4.1)
        assert 1000 / tissue.t2 == pytest.approx(10 + 4.6)

    def test_noise_follows_the_rice_distribution_of_scipy(self):
        noisy = rician(np.full(20000, 2.0), 1.5, np.random.default_rng(0))
        assert stats.kstest(noisy, stats.rice(2.0 / 1.5, scale=1.5).cdf).pvalue > 0.01

    def test_fields_have_unit_variance_and_the_asked_for_correlation(self):
        points = np.stack(np.meshgrid(*[np.arange(-120, 120, 6.0)] * 3, indexing="ij")).astype(np.float32)
        rng = np.random.default_rng(0)
        fields = np.stack([smooth_field(rng, points, 12) for _ in range(4)])
        neighbors = (fields[:, 2:] * fields[:, :-2]).mean() / (fields**2).mean()  # 12 mm apart
        assert fields.std() == pytest.approx(1, abs=0.1)
        assert neighbors == pytest.approx(np.exp(-(12**2) / (4 * 12**2)), abs=0.05)

    def test_fields_do_not_depend_on_the_grid_they_are_sampled_on(self):
        points = np.random.default_rng(1).uniform(-90, 90, (3, 40)).astype(np.float32)
        whole = smooth_field(np.random.default_rng(0), points, 9)
        np.testing.assert_allclose(
            smooth_field(np.random.default_rng(0), points[:, 7:9], 9), whole[7:9], atol=1e-5
        )


class TestNormalAnatomy:
    def test_t1w_is_white_over_gray_over_csf(self):
        white, gray, csf = (
            tissue_mean(subject(None), "T1w", t) for t in ("white_matter", "gray_matter", "csf")
        )
        assert white > 1.08 * gray > 1.08**2 * csf

    def test_t2w_is_csf_over_gray_over_white(self):
        white, gray, csf = (
            tissue_mean(subject(None), "T2w", t) for t in ("white_matter", "gray_matter", "csf")
        )
        assert csf > 1.08 * gray > 1.08**2 * white

    @pytest.mark.parametrize("contrast", ["FLAIR", "dwi"])
    def test_ventricles_are_darkest_in_flair_and_dwi(self, contrast):
        volume = subject(None, shape=(64, 80, 30))
        dark = tissue_mean(volume, contrast, "ventricles")
        assert dark < 0.6 * min(tissue_mean(volume, contrast, t) for t in ("white_matter", "gray_matter"))

    def test_only_vessels_take_up_contrast_agent_in_a_normal_brain(self):
        volume = subject(None, shape=(64, 80, 30), noise=0, bias_field=0)
        before, after = volume.contrasts["T1w"], volume.contrasts["ce-gadolinium_T1w"]
        white = volume.info["tissues"] == TISSUES["white_matter"]
        gain = (after / after[white].mean())[volume.mask] - (before / before[white].mean())[volume.mask]
        enhancing = volume.info["tissues"][volume.mask][gain > 0.5 * gain.max()]
        assert set(np.unique(enhancing)) == {TISSUES["vessels"]}

    def test_a_head_has_every_tissue(self):
        head = subject(None, skull=True, shape=(64, 80, 40), contrasts="T2w")
        assert set(np.unique(head.info["tissues"])) == set(TISSUES.values())

    def test_the_eyes_are_two_in_front_and_bright_in_t2w(self):
        head = subject(None, skull=True, shape=(64, 80, 40), contrasts="T2w")
        eyes = head.info["tissues"] == TISSUES["eyes"]
        components, n = ndimage.label(eyes)
        centers = np.array(ndimage.center_of_mass(eyes, components, range(1, n + 1)))
        world = nibabel.affines.apply_affine(head.affine, centers)
        assert n == 2 and (world[:, 1] > 45).all() and world[0, 0] * world[1, 0] < 0
        assert head.contrasts["T2w"][eyes].mean() > 1.5 * tissue_mean(head, "T2w", "white_matter")

    def test_the_cerebellum_lies_behind_and_below_the_brainstem_top(self):
        volume = subject(None, shape=(64, 80, 30))
        means = {}
        for name in ("cerebellum", "brainstem", "white_matter"):
            voxels = np.argwhere(volume.info["tissues"] == TISSUES[name])
            means[name] = nibabel.affines.apply_affine(volume.affine, voxels).mean(axis=0)
        assert means["cerebellum"][1] < means["brainstem"][1] - 15
        assert max(means["cerebellum"][2], means["brainstem"][2]) < means["white_matter"][2] - 25

    def test_brains_differ_in_size_and_have_human_volumes(self):
        cohort = make_phantom(
            4, shape=(33, 41, 24), voxel_size=5, contrasts="T1w", lesion=None, random_state=0
        )
        liters = np.array([volume.mask.sum() for volume in cohort]) * 5**3 / 1e6
        assert (liters > 1.2).all() and (liters < 2.6).all() and np.ptp(liters) > 0.03 * liters.mean()

    def test_the_anatomy_does_not_depend_on_the_resolution(self):
        coarse, fine = (subject(None, shape=shape, contrasts="T1w") for shape in ((40, 52, 40), (64, 80, 52)))
        liters = [v.mask.sum() * np.prod(v.voxel_size) / 1e6 for v in (coarse, fine)]
        centers = [
            nibabel.affines.apply_affine(v.affine, np.argwhere(v.mask).mean(axis=0)) for v in (coarse, fine)
        ]
        assert liters[0] == pytest.approx(liters[1], rel=0.02)
        np.testing.assert_allclose(centers[0], centers[1], atol=1.0)

    def test_tissues_cover_the_mask_of_a_stripped_brain_and_nothing_else(self):
        volume = subject(None)
        np.testing.assert_array_equal(volume.info["tissues"] > 0, volume.mask)

    def test_outside_a_stripped_brain_everything_is_zero(self):
        volume = subject("stroke")
        assert all((volume.contrasts[name][~volume.mask] == 0).all() for name in CONTRASTS)


class TestAcquisition:
    def test_the_background_around_a_head_is_rayleigh(self):
        head = subject(None, skull=True, shape=(64, 80, 40), contrasts="T2w")
        far = ndimage.distance_transform_edt(~head.mask) > 3
        air = head.contrasts["T2w"][far].astype(float)
        assert air.mean() ** 2 / (air**2).mean() == pytest.approx(np.pi / 4, rel=0.01)

    def test_noise_is_a_fraction_of_the_white_matter_signal(self):
        head = subject(None, skull=True, shape=(64, 80, 40), contrasts="T2w", noise=0.05, bias_field=0)
        far = ndimage.distance_transform_edt(~head.mask) > 3
        sigma = np.sqrt((head.contrasts["T2w"][far].astype(float) ** 2).mean() / 2)
        pure = head.info["tissues"] == TISSUES["white_matter"]
        white = np.median(head.contrasts["T2w"][ndimage.binary_erosion(pure)])
        assert sigma / white == pytest.approx(0.05, rel=0.15)

    def test_the_coil_spans_the_asked_for_range(self):
        flat, bent = (subject(None, noise=0, bias_field=b, contrasts="T1w") for b in (0, 0.4))
        ratio = (bent.contrasts["T1w"][bent.mask] / flat.contrasts["T1w"][flat.mask]).astype(float)
        assert (ratio.min(), ratio.max()) == pytest.approx((0.8, 1.2), rel=0.01)

    def test_the_affine_is_ras_in_millimeters_and_oblique(self):
        volume = subject(None, shape=(32, 40, 20), voxel_size=(4.5, 5, 7), contrasts="T1w")
        assert nibabel.aff2axcodes(volume.affine) == ("R", "A", "S")
        np.testing.assert_allclose(volume.voxel_size, (4.5, 5, 7))
        assert np.abs(volume.affine[:3, :3][~np.eye(3, dtype=bool)]).max() > 0.01

    @pytest.mark.parametrize("skull", [False, True])
    def test_the_brain_fits_the_default_field_of_view(self, skull):
        for volume in make_phantom(3, shape=SHAPE, contrasts="T1w", lesion=None, skull=skull, random_state=5):
            brain = (volume.info["tissues"] > 0) & (volume.info["tissues"] < TISSUES["eyes"])
            assert not brain[[0, -1]].any() and not brain[:, [0, -1]].any()


class TestLesions:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_class_of_a_lesion_is_there(self, kind):
        expected = {LESION_CLASSES[name] for name in KINDS[kind]}
        found = set(np.unique(subject(kind).labels)) - {0}
        assert expected <= found <= expected | {LESION_CLASSES["edema"]}

    @pytest.mark.parametrize(
        "kind, name, contrast, brighter",
        [
            ("glioma", "core", "T1w", False),
            ("glioma", "core", "T2w", True),
            ("glioma", "enhancing_rim", "ce-gadolinium_T1w", True),
            ("glioma", "enhancing_rim", "T1w", False),
            ("glioma", "edema", "FLAIR", True),
            ("glioma", "edema", "T2w", True),
            ("metastasis", "metastasis", "ce-gadolinium_T1w", True),
            ("cavity", "cavity", "T1w", False),
            ("cavity", "cavity", "T2w", True),
            ("stroke", "stroke", "dwi", True),
            ("stroke", "stroke", "FLAIR", True),
            ("ms", "ms_plaque", "FLAIR", True),
            ("ms", "ms_plaque", "T1w", False),
            ("structural", "structural", "T1w", False),
            ("structural", "structural", "T2w", True),
            ("extracranial", "extracranial", "FLAIR", True),
        ],
    )
    def test_a_lesion_changes_its_voxels_as_radiologists_expect(self, kind, name, contrast, brighter):
        patient, before = pair(kind)
        lesion = patient.labels == LESION_CLASSES[name]
        white = tissue_mean(before, contrast, "white_matter")
        change = (
            patient.contrasts[contrast][lesion].mean() - before.contrasts[contrast][lesion].mean()
        ) / white
        assert change > 0.1 if brighter else change < -0.05

    @pytest.mark.parametrize(
        "kind, contrast", [("glioma", "FLAIR"), ("stroke", "dwi"), ("ms", "FLAIR"), ("ms", "T2w")]
    )
    def test_a_lesion_stands_out_from_the_white_matter_around(self, kind, contrast):
        patient = subject(kind)
        lesion = patient.labels > 0
        around = ndimage.binary_dilation(lesion, iterations=3) & ~ndimage.binary_dilation(lesion)
        around &= patient.info["tissues"] == TISSUES["white_matter"]
        image = patient.contrasts[contrast]
        assert image[lesion].mean() > 1.2 * image[around].mean()

    @pytest.mark.parametrize("kind", KINDS)
    def test_far_from_a_lesion_the_patient_is_the_person_before(self, kind):
        patient, before = pair(kind)
        far = ~ndimage.binary_dilation(patient.labels > 0, np.ones((3, 3, 3)), iterations=3)
        for name in CONTRASTS:
            np.testing.assert_array_equal(patient.contrasts[name][far], before.contrasts[name][far])

    @pytest.mark.parametrize("kind", ["glioma", "ms", "stroke"])
    def test_what_changed_by_more_than_half_is_labeled(self, kind):
        patient, before = (subject(k, noise=0, contrasts="FLAIR") for k in (kind, None))
        change = np.abs(patient.contrasts["FLAIR"] - before.contrasts["FLAIR"])
        threshold = 0.75 * np.percentile(change[patient.labels > 0], 95)
        assert (patient.labels[change > threshold] > 0).mean() > 0.9

    def test_a_cavity_is_dark_inside_and_has_a_bright_margin_in_flair(self):
        patient = subject("cavity", shape=(64, 80, 20), noise=0)
        hole = patient.labels > 0
        depth = ndimage.distance_transform_edt(hole, sampling=patient.voxel_size)
        flair, white = patient.contrasts["FLAIR"], tissue_mean(patient, "FLAIR", "white_matter")
        assert np.median(flair[depth == depth.max()]) < 0.4 * white
        assert np.percentile(flair[hole], 95) > 1.1 * white

    def test_an_extracranial_metastasis_is_outside_the_brain(self):
        labels = subject("extracranial").labels
        tissues = subject("extracranial").info["tissues"]
        assert np.isin(
            tissues[labels > 0], [TISSUES[t] for t in ("bone", "fat", "muscle", "background", "csf")]
        ).all()

    def test_several_kinds_share_a_subject_without_overlap(self):
        kinds = ("metastasis", "cavity", "structural", "extracranial")
        patient = subject(kinds, skull=True, shape=(48, 60, 24), contrasts="T1w")
        assert {LESION_CLASSES[k] for k in kinds} <= set(np.unique(patient.labels))

    def test_lesions_are_confined_to_a_run_of_six_tenths_of_the_slices(self):
        anatomy = SimpleNamespace(brain=np.ones((7, 8, 20), bool))
        for seed in range(5):
            site = Site(anatomy, np.eye(4), np.random.default_rng(seed))
            allowed = np.flatnonzero(site.confine(np.ones((7, 8, 20))).any(axis=(0, 1)))
            assert allowed.size == np.ptp(allowed) + 1 == 12

    def test_a_voxel_takes_the_largest_class_where_lesions_fill_half_of_it(self):
        parts = [
            Part(2, "tumor", np.array([0.3, 0.3, 0.7, 0.0])),
            Part(3, "edema", np.array([0.1, 0.1, 0.1, 0.2])),
            Part(3, None, np.array([0.05, 0.3, 0.0, 0.2])),
        ]
        np.testing.assert_array_equal(label_map(parts, (4,)), [0, 3, 2, 0])

    def test_mixed_gives_every_kind_in_turn(self):
        volumes = make_phantom(7, shape=SHAPE, lesion="mixed", skull=True, contrasts="T1w", random_state=0)
        assert sorted(v.info["lesions"][0] for v in volumes) == sorted(KINDS)

    def test_normal_subjects_have_labels_that_are_zero(self):
        assert subject(None).labels.dtype.kind == "i" and not subject(None).labels.any()

    @settings(max_examples=6, deadline=None)
    @given(
        kind=st.sampled_from([k for k in KINDS if k != "extracranial"]),
        shape=st.tuples(st.integers(24, 34), st.integers(30, 40), st.integers(10, 20)),
        seed=st.integers(0, 2**32 - 1),
    )
    def test_any_subject_is_finite_labeled_inside_its_mask_and_partly_normal(self, kind, shape, seed):
        (volume,) = make_phantom(1, shape=shape, lesion=kind, contrasts=["T1w"], random_state=seed)
        labels, mask = volume.labels, volume.mask
        assert volume.contrasts["T1w"].shape == labels.shape == mask.shape == shape
        assert np.isfinite(volume.contrasts["T1w"]).all()
        assert {LESION_CLASSES[name] for name in KINDS[kind]} <= set(np.unique(labels))
        assert not labels[~mask].any()
        brain_slices = mask.any(axis=(0, 1))
        normal_slices = brain_slices & ~labels.any(axis=(0, 1))
        assert normal_slices.sum() >= 0.3 * brain_slices.sum()


class TestSeeds:
    @staticmethod
    def cohort(n=2, **options):
        options = {
            "shape": (16, 20, 8),
            "contrasts": ["T1w"],
            "lesion": "stroke",
            "random_state": 7,
            **options,
        }
        return make_phantom(n, **options)

    @staticmethod
    def assert_same(first, second, contrast="T1w"):
        np.testing.assert_array_equal(first.contrasts[contrast], second.contrasts[contrast])
        np.testing.assert_array_equal(first.labels, second.labels)
        np.testing.assert_array_equal(first.affine, second.affine)

    def test_the_same_seed_gives_the_same_subjects(self):
        for first, second in zip(self.cohort(), self.cohort(), strict=True):
            self.assert_same(first, second)

    def test_subject_i_does_not_depend_on_how_many_there_are(self):
        self.assert_same(self.cohort(1)[0], self.cohort(3)[0])

    def test_a_contrast_does_not_depend_on_the_others(self):
        self.assert_same(self.cohort(1)[0], self.cohort(1, contrasts=["dwi", "T1w"])[0])

    def test_subjects_and_seeds_differ(self):
        (first, second), (other, _) = self.cohort(), self.cohort(random_state=8)
        assert (first.mask != second.mask).any() and (first.mask != other.mask).any()
        assert first.subject != second.subject

    def test_without_a_seed_every_call_differs(self):
        assert (self.cohort(random_state=None)[0].mask != self.cohort(random_state=None)[0].mask).any()

    @pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
    def test_generators_are_seeds_that_advance(self, make):
        rng = make(0)
        first, second, again = self.cohort(1, random_state=rng), self.cohort(1, random_state=rng), make(0)
        self.assert_same(first[0], self.cohort(1, random_state=again)[0])
        assert (first[0].mask != second[0].mask).any()

    @pytest.mark.parametrize("random_state", [0, None])
    def test_the_global_generator_is_untouched(self, random_state):
        before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is the subject
        self.cohort(1, random_state=random_state)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


class TestErrors:
    @pytest.mark.parametrize(
        "options, message",
        [
            ({"lesion": "gliom"}, "'gliom': did you mean 'glioma'"),
            ({"lesion": ("metastasis", "cavities")}, "'cavities': did you mean 'cavity'"),
            ({"contrasts": ("T1w", "flair")}, "'flair': did you mean 'FLAIR'"),
            ({"contrasts": "t2"}, "'t2': did you mean 'T2w'"),
            ({"contrasts": ()}, "contrasts should name at least one"),
            ({"lesion": "extracranial"}, "set skull=True"),
            ({"shape": (32, 40)}, r"shape should be three integers of at least 8, got \(32, 40\)"),
            ({"shape": (32, 40, 4)}, "at least 8"),
            ({"voxel_size": (2, 2)}, "one or three lengths"),
            ({"voxel_size": 0}, "one or three lengths"),
            ({"noise": -0.1}, "noise should be a number from 0 to 1, got -0.1"),
            ({"bias_field": 3}, "bias_field should be a number from 0 to 1, got 3"),
            ({"n_subjects": 0}, "n_subjects should be an integer of at least 1, got 0"),
            ({"random_state": "seed"}, "random_state should be None, an int"),
        ],
    )
    def test_a_wrong_argument_is_named_with_what_was_expected(self, options, message):
        with pytest.raises(ValueError, match=message):
            make_phantom(**{"n_subjects": 1, "shape": (16, 20, 8), **options})

    def test_a_field_of_view_without_room_for_a_lesion_says_so(self):
        with pytest.raises(ValueError, match="larger shape or voxel_size"):
            make_phantom(
                1, shape=(16, 20, 8), voxel_size=1, lesion="extracranial", skull=True, random_state=0
            )

    def test_every_material_of_the_table_is_physical(self):
        for tissue in MATERIALS.values():
            assert tissue.t1 >= tissue.t2 > 0 and 0 < tissue.density <= 1 and tissue.diffusivity > 0
