"""What is doubtful about maps, alone and beside each other."""

from dataclasses import replace

import numpy as np
import pytest

from skad.calibration import ConformalCalibrator
from skad.derivatives import Model, Sidecar
from skad.derivatives.doubts import cohort_warnings, map_warnings, read_drift, write_drift

QUANTILES = np.random.default_rng(0).normal(size=(45, 5))


def sidecar_of(index, **changes):
    summary = {"n_voxels": 100, "percentile_50": 1.0, "percentile_99": 2.0, "maximum": 3.0}
    sidecar = Sidecar(
        subject=f"sub-0{index}",
        session="1",
        model=Model("adm.skad", "abc"),
        rule=None,
        contrasts=("T1w", "FLAIR"),
        missing_contrasts=(),
        sources=(),
        outside="nan",
        shape=(7, 8, 9),
        summary=summary | changes.pop("summary", {}),
        score_quantiles=tuple(QUANTILES[40 + index % 5]),
    )
    return replace(sidecar, **changes)


def by_name(*sidecars):
    return {f"{sidecar.subject}_ses-{sidecar.session}": sidecar for sidecar in sidecars}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"missing_contrasts": ("FLAIR",)}, ["missing contrast: FLAIR"]),
        ({"summary": {"maximum": 1.0}}, ["collapse: all scores are the same, the map says nothing"]),
        ({"summary": {"n_voxels": 160}}, ["background: 1.6 times as many voxels count as brain"]),
        ({"shape": (5, 5, 4)}, ["background: 100% of the image counts as brain"]),
        ({"warnings": ("cropped",)}, ["cropped"]),
    ],
)
def test_a_map_tells_what_is_doubtful_about_it(changes, told):
    sidecars = by_name(sidecar_of(0), sidecar_of(1), sidecar_of(2, **changes))
    warnings = map_warnings(sidecars, {})["sub-02_ses-1"]
    assert len(warnings) == len(told)
    assert all(warning.startswith(text) for warning, text in zip(warnings, told, strict=True))


def test_two_maps_have_no_usual_size():
    sidecars = by_name(sidecar_of(0), sidecar_of(1, summary={"n_voxels": 400}))
    assert map_warnings(sidecars, {}) == {"sub-00_ses-1": (), "sub-01_ses-1": ()}


@pytest.mark.filterwarnings("ignore::skad.calibration.DriftWarning")
@pytest.mark.parametrize(("shift", "drifts"), [(0, False), (9, True)])
def test_drift_is_told_of_the_cohort_and_of_its_maps(shift, drifts, tmp_path):
    calibrator = ConformalCalibrator(None)
    calibrator.summaries_, calibrator.n_patients_ = QUANTILES[:40], 40
    sidecars = by_name(*(sidecar_of(i, score_quantiles=tuple(QUANTILES[40 + i] + shift)) for i in range(5)))
    write_drift(calibrator, sidecars, tmp_path)
    drift = read_drift(tmp_path)
    assert list(drift)[:2] == ["all", "sub-00_ses-1"] and len(drift) == 6
    assert bool(cohort_warnings(sidecars.values(), drift)) == drifts
    assert all(bool(warnings) == drifts for warnings in map_warnings(sidecars, drift).values())


def test_maps_of_two_detectors_are_told():
    other = sidecar_of(1, model=Model("vae.skad", "def"))
    (warning,) = cohort_warnings([sidecar_of(0), other], {})
    assert "2 detectors (adm.skad, vae.skad)" in warning and not cohort_warnings([sidecar_of(0)], {})
