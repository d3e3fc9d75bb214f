"""Guards of finished trainings, on references whose error is known."""

import guards
import numpy as np
import pytest
from guards import EXPLAINED, OFFSET


@pytest.fixture
def trained():
    """Two contrasts of different units; a lesion and a background that no guard may look at."""
    images = np.random.default_rng(0).normal(size=(5, 2, 7, 8)) * np.array([1, 50])[:, None, None]
    y = np.zeros((5, 7, 8), dtype=int)
    y[:, 2:4, 3:6] = 1
    images[:, :, 0] = np.nan
    return lambda reference: guards.Trained(None, {}, None, y, np.stack([images, reference(images, y)], 1))


def test_a_reference_that_is_the_image_but_for_its_lesion_explains_all(trained):
    found = guards.references(trained(lambda images, y: np.where(y[:, None] > 0, 0, images)))
    assert found == {EXPLAINED: 1, OFFSET: 0}


def test_the_mean_of_normal_tissue_explains_nothing(trained):
    def mean(images, y):
        normal = np.where(y[:, None] > 0, np.nan, images)
        return np.broadcast_to(np.nanmean(normal, axis=(0, 2, 3), keepdims=True), images.shape)

    assert guards.references(trained(mean)) == pytest.approx({EXPLAINED: 0, OFFSET: 0}, abs=1e-12)


def test_an_offset_is_in_standard_deviations_of_normal_tissue(trained):
    def brighter(images, y):
        normal = np.where(y[:, None] > 0, np.nan, images)
        return images + 2 * np.nanstd(normal, axis=(0, 2, 3), keepdims=True)

    assert guards.references(trained(brighter)) == pytest.approx({EXPLAINED: 1 - 4, OFFSET: 2})


def test_a_loss_that_is_flat_falls_no_more():
    flat = guards.Trained(None, {"loss": [4.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}, None, None, None)
    assert list(guards.flatness(flat).values()) == [0.25, 0]


def test_pages_have_a_row_per_guard_and_one_per_density():
    rows = [
        {"name": "ADM", "seed": seed, "guard": guard, "value": seed + 0.5}
        for seed in (0, 1)
        for guard in (*guards.OF_DENSITIES, "other")
    ]
    plain, densities = guards.guard_tables(rows)
    assert plain == [{"name": "ADM", "guard": "other", "value of each seed": "0.5, 1.5"}]
    assert densities == [{"name": "ADM"} | dict.fromkeys(guards.OF_DENSITIES, "0.5 to 1.5")]
