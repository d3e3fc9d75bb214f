"""`VolumeAnomalyDetector.score_cohort`: a folder of maps, whatever happens to one of the scans."""

import csv
import json

import nibabel
import numpy as np
import pytest

from skad.derivatives import Derivative, Visitor
from skad.derivatives.naming import map_path, sidecar_path
from skad.io import Volume

from .conftest import AFFINE, SHAPE, brain, make_detector


class Broken:
    """A source whose voxels cannot be read."""

    shape, where = SHAPE, "broken.nii"

    def load(self):
        raise ValueError("broken.nii is damaged.")

    def covered(self):
        return np.True_


def scores(folder):
    with open(folder / "scores.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_records_hold_the_maps_of_score_volume(detector, volumes, tmp_path):
    maps = detector.score_cohort(volumes, out=tmp_path)
    assert [record.subject for record in maps] == ["sub-01", "sub-02", "sub-03"]
    for record, volume in zip(maps, volumes, strict=True):
        np.testing.assert_array_equal(record.anomaly, detector.score_volume(volume).get_fdata())
        np.testing.assert_allclose(record.affine, AFFINE)
        assert record.peak == np.nanmax(record.anomaly)


def test_the_folder_opened_later_is_what_was_returned(detector, volumes, tmp_path):
    made = detector.score_cohort(volumes, out=tmp_path)
    opened = Derivative(tmp_path)
    assert [record.sidecar for record in opened] == [record.sidecar for record in made]
    assert [record.lesions for record in opened] == [record.lesions for record in made]
    assert opened.contrasts == ("T1w",) and opened.errors == {}


def test_a_lesions_peak_is_where_its_brightest_voxel_is(detector, volumes, tmp_path):
    maps = detector.score_cohort(volumes, out=tmp_path)
    lesion = max(maps[0].lesions, key=lambda row: row["peak_score"])
    peak = [lesion[f"peak_{axis}_mm"] for axis in "xyz"]
    np.testing.assert_allclose(peak, (AFFINE @ (2, 3, 4, 1))[:3])
    centroid = [lesion[f"{axis}_mm"] for axis in "xyz"]
    np.testing.assert_allclose(centroid, (AFFINE @ (2, 4, 4, 1))[:3])


def test_one_bad_scan_ends_nothing(detector, volumes, tmp_path):
    bad = Volume({"T1w": Broken()}, AFFINE, subject="sub-02")
    maps = detector.score_cohort([volumes[0], bad, volumes[2]], out=tmp_path)
    assert [record.subject for record in maps] == ["sub-01", "sub-03"]
    assert list(maps.errors) == ["sub-02"]
    (row,) = [row for row in scores(tmp_path) if row["subject"] == "sub-02"]
    assert row["error"] == "broken.nii is damaged." and not row["map"]
    assert list(Derivative(tmp_path).errors) == ["sub-02"]


def test_a_run_keeps_whole_maps_of_the_same_detector(detector, volumes, tmp_path):
    detector.score_cohort(volumes[:2], out=tmp_path)
    before = map_path(tmp_path, volumes[0]).stat().st_mtime_ns
    maps = detector.score_cohort(volumes, out=tmp_path)
    assert map_path(tmp_path, volumes[0]).stat().st_mtime_ns == before and len(maps) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(path.read_bytes()[::-1]),
        lambda path: sidecar_path(path).unlink(),
        lambda path: sidecar_path(path).write_text("{}"),
        lambda path: path.unlink(),
    ],
    ids=["cut short", "other content", "no sidecar", "empty sidecar", "no map"],
)
def test_a_run_makes_damaged_maps_anew(damage, detector, volumes, tmp_path):
    expected = detector.score_cohort(volumes, out=tmp_path)[1].anomaly
    damage(map_path(tmp_path, volumes[1]))
    maps = detector.score_cohort(volumes, out=tmp_path)
    np.testing.assert_array_equal(maps[1].anomaly, expected)
    assert Derivative(tmp_path).errors == {}


def test_maps_of_another_detector_are_replaced_with_their_tables(detector, volumes, tmp_path):
    detector.score_cohort(volumes, out=tmp_path)
    (tmp_path / "evaluation.csv").write_text("of the maps that go")
    other = make_detector().set_params(pipeline__smoothing=1.0)
    other.fit(volumes)
    maps = other.score_cohort(volumes, out=tmp_path)
    assert len(maps.models) == 1
    assert maps[0].sidecar.model != detector.score_cohort(volumes, out=tmp_path / "x")[0].sidecar.model
    assert not (tmp_path / "evaluation.csv").exists()


def test_a_kill_after_the_map_leaves_no_sidecar_that_lies(detector, volumes, tmp_path, monkeypatch):
    detector.score_cohort(volumes[:1], out=tmp_path)
    other = make_detector().fit(volumes)

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skad.derivatives.writer.lesion_table", killed)
    with pytest.raises(KeyboardInterrupt):
        other.score_cohort(volumes[:1], out=tmp_path)
    assert not sidecar_path(map_path(tmp_path, volumes[0])).exists()
    assert list(Derivative(tmp_path).errors) == ["sub-01"]


def test_zeros_outside_are_written_and_read_as_background(volumes, tmp_path):
    detector = make_detector(outside="zero")
    (record,) = detector.score_cohort(volumes[:1], out=tmp_path)
    stored = nibabel.load(record.path).get_fdata()
    assert np.isfinite(stored).all() and stored[0, 0, 0] == 0
    np.testing.assert_array_equal(record.anomaly, detector.score_volume(volumes[0]).get_fdata())


def test_warnings_of_a_scan_stay_with_its_map(detector, tmp_path):
    tall = brain(1)
    image = np.pad(tall.contrasts["T1w"], ((6, 6), (0, 0), (0, 0)), mode="reflect")
    volume = Volume({"T1w": image}, AFFINE, subject="sub-01")
    with pytest.warns(UserWarning, match="sub-01"):
        (record,) = detector.score_cohort([volume], out=tmp_path)
    assert any("cut" in warning for warning in record.warnings)
    assert scores(tmp_path)[0]["warnings"] == "; ".join(record.sidecar.warnings)


def test_a_visitor_sees_every_scan_once(detector, volumes, tmp_path):
    class Seen(Visitor):
        def __init__(self):
            self.results = []

        def visit(self, record, volume, anomaly):
            return volume.subject, float(np.nanmax(anomaly))

        def keep(self, record, result):
            self.results.append((record.subject, *result))

    seen = Seen()
    maps = detector.score_cohort(volumes, out=tmp_path, visitor=seen)
    assert seen.results == [(record.subject, record.subject, record.peak) for record in maps]


def test_volumes_that_would_write_one_map_are_refused(detector, tmp_path):
    first, second = brain(1), brain(2)
    first.subject, second.subject = "sub-1_a", "sub-1a"
    with pytest.raises(ValueError, match="rename one"):
        detector.score_cohort([first, second], out=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda sidecar: sidecar["Summary"].update(maximum=float("nan")), "not a finite number"),
        (lambda sidecar: sidecar.pop("Model"), "Model"),
        (lambda sidecar: sidecar.update(Summary=[]), "attribute"),
    ],
)
def test_a_malformed_sidecar_is_named(change, told, detector, volumes, tmp_path):
    detector.score_cohort(volumes, out=tmp_path)
    path = sidecar_path(map_path(tmp_path, volumes[1]))
    sidecar = json.loads(path.read_text())
    change(sidecar)
    path.write_text(json.dumps(sidecar))
    maps = Derivative(tmp_path)
    assert len(maps) == 2 and str(path) in str(maps.errors["sub-02"]) and told in str(maps.errors["sub-02"])


def test_volumes_find_their_records(detector, volumes, tmp_path):
    maps = detector.score_cohort(volumes[:2], out=tmp_path)
    assert [(r.subject, v.subject) for r, v in maps.pairs(volumes[::-1])] == [
        ("sub-02",) * 2,
        ("sub-01",) * 2,
    ]
    assert maps.record_of(volumes[2]) is None
    assert [record.subject for record in maps.only(volumes[1:])] == ["sub-02"]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="give a folder of `skad score`"):
        Derivative(tmp_path)


def test_a_folder_in_a_notebook_shows_the_slice_of_the_highest_peak(volumes, detector, tmp_path):
    maps = detector.score_cohort(volumes, out=tmp_path)
    html = maps._repr_html_()
    highest = max(maps, key=lambda record: record.peak)
    assert f'alt="{highest.name}, slice of the peak"' in html
    assert html.index(highest.name) == min(html.index(record.name) for record in maps)


def test_a_folder_in_a_notebook_says_which_map_cannot_be_read(volumes, detector, tmp_path):
    maps = detector.score_cohort(volumes[:1], out=tmp_path)
    maps[0].path.write_bytes(b"cut short")
    html = Derivative(tmp_path)._repr_html_()
    assert "not readable" in html and maps[0].path.name in html
