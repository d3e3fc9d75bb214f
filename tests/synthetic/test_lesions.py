"""Lesions: outlines that follow the tissue, appearance shared within a slice, mass effect."""

import pytest
import torch
from scipy import stats

from skad.synthetic import Appearance, Components, Ellipse, Islands, Lesions, Sheet, Tissue
from skad.synthetic.mass_effect import push_tissue
from skad.synthetic.placement import draw_shapes


def _plain(**changed):
    """A shift and nothing else."""
    nothing = {"texture": 0.0, "structure": (1.0, 1.0), "rim": 0.0, "quantized": 0.0, "foreign": 0.0}
    return Appearance(**nothing | changed)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _shapes(n=20, height=40, width=48, radius=(12.0, 12.0)):
    foreground = torch.zeros(n, 1, height, width, dtype=torch.bool)
    foreground[:, :, height // 2, width // 2] = True
    shapes = draw_shapes(foreground, radius=radius)
    inside = (shapes.distance < 1).float()
    return shapes._replace(mask=inside)  # not cut off at the one pixel that is the foreground


def _shift_of_each(images, planted, mask, n_contrasts=2):
    """Change of every contrast at the pixels that lie wholly in a lesion, one row per pixel."""
    inside = (mask == 1).expand_as(images)
    return (planted - images)[inside].view(n_contrasts, -1).T


@pytest.mark.parametrize("outline", [Ellipse(), Islands(), Tissue(), Sheet(), Components()], ids=repr)
def test_an_outline_is_a_factor_of_the_ellipse(outline):
    factor = outline.carve(_shapes(), torch.randn(20, 1, 40, 48))
    assert factor.shape == (20, 1, 40, 48)
    assert factor.min() >= 0 and factor.max() <= 1


def test_tissue_keeps_what_resembles_the_center():
    shapes = _shapes()
    halves = torch.zeros(20, 1, 40, 48)
    halves[..., 24:] = 5.0  # the center is in the right half
    factor = Tissue(tolerance=(1.0, 1.0)).carve(shapes, halves)
    assert torch.equal(factor, (halves == 5).float())


def test_a_sheet_lies_along_the_contour_through_the_center():
    ramp = torch.arange(48.0).expand(20, 1, 40, 48) / 7
    factor = Sheet(thickness=(4.0, 4.0)).carve(_shapes(), ramp)
    columns = factor[0, 0, 20]
    assert columns[22:27].tolist() == [1.0] * 5  # 2 pixels on both sides of column 24
    assert columns[21] == columns[27] == 0.0 or columns[21] < 1e-4


def test_islands_keep_the_share_that_exceeds_the_threshold():
    factor = Islands(threshold=(0.0, 0.0)).carve(_shapes(n=400), torch.zeros(400, 1, 40, 48))
    assert factor.mean() == pytest.approx(0.5, abs=0.03)


def test_components_lie_apart():
    shapes = _shapes(n=50)
    factor = Components(n_components=4, size=(0.15, 0.2)).carve(shapes, torch.zeros(50, 1, 40, 48))
    area = (factor > 0.5).float().sum() / (shapes.distance < 1).float().sum()
    assert 0.05 < area < 0.2  # at most four times 0.2 squared


@pytest.mark.parametrize("alike", [0.0, 1.0])
def test_lesions_of_a_slice_look_alike_where_asked(alike):
    images, foreground = torch.randn(12, 2, 64, 64), torch.ones(12, 1, 64, 64, dtype=torch.bool)
    family = Lesions(
        outlines=(Ellipse(),), appearance=_plain(), n_lesions=(4, 4), radius=(2.0, 3.0), alike=alike
    )
    planted, mask = family.plant(images, foreground)
    n_shifts = [
        len(torch.unique(_shift_of_each(a, b, m).mul(100).round(), dim=0))
        for a, b, m in zip(images, planted, mask, strict=True)
    ]
    assert max(n_shifts) == 1 if alike else min(n_shifts) > 1


def test_lesions_are_as_many_as_asked_the_first_ones_of_all_slices_first():
    slices, groups = Lesions(n_lesions=(2, 5))._draw_counts(4000)
    counts = torch.bincount(slices, minlength=4000)
    assert stats.chisquare(torch.bincount(counts)[2:6]).pvalue > 0.001
    assert [sorted(set(part.tolist())) for part in slices.split(groups)] == [
        torch.nonzero(counts > i).flatten().tolist() for i in range(5)
    ]


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_signs_hold_for_the_share_of_the_lesions_asked_for(share):
    family = Lesions(
        outlines=(Ellipse(),),
        appearance=_plain(signs=(1, 0), sign_share=share),
        n_lesions=(1, 1),
        radius=(4.0, 4.0),
    )
    images, foreground = torch.randn(1500, 2, 16, 16), torch.ones(1500, 1, 16, 16, dtype=torch.bool)
    planted, mask = family.plant(images, foreground)
    brighter = ((planted - images) * mask).sum((2, 3)) > 0
    expected = torch.tensor([share + (1 - share) / 2, 0.5])
    torch.testing.assert_close(brighter.float().mean(0), expected, atol=0.05, rtol=0)


def test_quantized_shifts_are_one_for_each_level_of_the_tissue():
    images = torch.randint(3, (10, 1, 32, 32)).float()
    foreground = torch.ones(10, 1, 32, 32, dtype=torch.bool)
    appearance = _plain(quantized=1.0)
    family = Lesions(outlines=(Ellipse(),), appearance=appearance, n_lesions=(1, 1), radius=(60.0, 60.0))
    planted, mask = family.plant(images, foreground)
    for before, after, inside in zip(images, planted, mask == 1, strict=True):
        shifts = torch.unique((after - before)[inside].mul(1e3).round())
        assert 1 <= len(shifts) <= 6


def test_a_core_differs_from_its_rim():
    images = torch.randn(30, 1, 48, 48)
    foreground = torch.ones(30, 1, 48, 48, dtype=torch.bool)
    appearance = _plain(rim=1.0)
    family = Lesions(outlines=(Ellipse(),), appearance=appearance, n_lesions=(1, 1), radius=(30.0, 30.0))
    planted, mask = family.plant(images, foreground)
    change = torch.where(mask == 1, planted - images, torch.nan).flatten(1)
    spread = [row[~row.isnan()].std() for row in change if (~row.isnan()).sum() > 200]
    assert sum(float(each) > 0.05 for each in spread) > len(spread) / 2


def test_tissue_is_pushed_away_from_the_center_and_stays_beyond_two_radii():
    shapes = _shapes(n=4, radius=(16.0, 16.0))
    ramp = torch.arange(48.0).expand(4, 1, 40, 48).contiguous()
    foreground = torch.ones(4, 1, 40, 48, dtype=torch.bool)
    pushed = push_tissue(ramp, foreground, shapes, torch.arange(4), torch.tensor([0, 2]))
    assert torch.equal(pushed[[1, 3]], ramp[[1, 3]])
    toward_center = (pushed[0] - ramp[0])[0] * (ramp[0, 0] - 24).sign()
    assert toward_center.max() < 1e-4 and toward_center.min() < -0.5  # drawn from nearer to the center
    rest = (shapes.distance[0] >= 2)[0]
    torch.testing.assert_close(pushed[0, 0][rest], ramp[0, 0][rest])


def test_mass_effect_moves_tissue_outside_the_mask():
    images, foreground = torch.randn(8, 1, 64, 64), torch.ones(8, 1, 64, 64, dtype=torch.bool)
    planted, mask = Lesions(mass_effect=1.0, radius=(10.0, 12.0)).plant(images, foreground)
    assert ((planted != images) & (mask == 0)).flatten(1).any(1).all()


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (Lesions(n_lesions=(3, 2)), "n_lesions should be"),
        (Lesions(radius=(0.0, 2.0)), "radius should be"),
        (Lesions(outlines=()), "outlines should be"),
        (Lesions(appearance=Appearance(signs=(1,))), "for each of the 2 contrasts"),
    ],
)
def test_what_cannot_be_planted_is_refused(family, message):
    with pytest.raises(ValueError, match=message):
        family.plant(torch.randn(2, 2, 9, 8), torch.ones(2, 1, 9, 8, dtype=torch.bool))
