"""What planted lesions teach a network: the loss, its Dice, and lesions that go on into neighbors."""

import numpy as np
import pytest
import torch

from skad.nn.lesion_loss import carry_over, dice_loss, segmentation_loss


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


class _Stamp:
    """A family that adds 7 in a given mask."""

    def __init__(self, mask):
        self.mask = mask

    def plant(self, images, foreground):
        return images + 7 * self.mask, self.mask


def test_loss_is_the_cross_entropy_of_the_mask_over_the_foreground():
    logits, mask = torch.randn(3, 1, 7, 5), torch.rand(3, 1, 7, 5)
    foreground = torch.rand(3, 1, 7, 5) < 0.6
    images = torch.zeros(3, 2, 7, 5)
    loss = segmentation_loss(lambda *_: logits, images, foreground, plant=_Stamp(mask).plant)["loss"]
    p, t = torch.sigmoid(logits)[foreground].double(), mask[foreground].double()
    assert float(loss) == pytest.approx(float(-(t * p.log() + (1 - t) * (1 - p).log()).mean()), rel=1e-6)


@pytest.mark.parametrize("pairs", [False, True])
def test_network_sees_the_planted_image_and_the_reference_as_it_is(pairs):
    images, foreground = torch.randn(4, 2, 7, 5), torch.ones(4, 1, 7, 5, dtype=torch.bool)
    reference, mask, seen = torch.randn(4, 2, 7, 5), torch.rand(4, 1, 7, 5), []

    def network(inputs, foreground):
        seen.append(inputs)
        return torch.zeros_like(mask)

    X = torch.stack([images, reference], dim=1) if pairs else images
    segmentation_loss(network, X, foreground, plant=_Stamp(mask).plant)
    planted = images + 7 * mask
    assert torch.equal(seen[0], torch.stack([planted, reference], dim=1) if pairs else planted)


def test_the_scanner_sees_planted_images_and_leaves_the_background():
    images, mask, seen = torch.zeros(2, 1, 4, 5), torch.rand(2, 1, 4, 5), []
    foreground = torch.rand(2, 1, 4, 5) < 0.5

    def network(inputs, foreground):
        seen.append(inputs)
        return torch.zeros_like(mask)

    plant, background = _Stamp(mask).plant, np.array([-3.0], dtype=np.float32)
    segmentation_loss(
        network, images, foreground, plant=plant, view=lambda x, _: x + 100, background=background
    )
    torch.testing.assert_close(seen[0], torch.where(foreground, 7 * mask + 100, -3.0))


def test_dice_loss_is_one_minus_the_dice_of_the_foreground():
    foreground = torch.rand(3, 1, 30, 40) < 0.6
    predicted, mask = (torch.rand(3, 1, 30, 40) < 0.3 for _ in range(2))
    logits = torch.where(predicted, 50.0, -50.0)
    a, b = (each[foreground].numpy() for each in (predicted, mask))
    loss = dice_loss(logits, mask.float() * foreground, foreground)
    assert float(1 - loss) == pytest.approx((2 * (a & b).sum() + 1) / (a.sum() + b.sum() + 1), rel=1e-5)


def test_intensities_are_planted_in_full_precision():
    images, foreground = torch.randn(2, 1, 8, 9), torch.ones(2, 1, 8, 9, dtype=torch.bool)
    seen = []

    def plant(images, foreground):
        seen.append(torch.nn.functional.conv2d(images, torch.ones(1, 1, 3, 3), padding=1))
        return images, torch.zeros_like(images)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        segmentation_loss(lambda inputs, _: inputs, images, foreground, plant=plant)
    assert seen[0].dtype == torch.float32


def test_lesions_go_on_into_most_neighbors_by_the_same_change():
    observed, neighbors = torch.randn(400, 2, 3, 4), torch.randn(2, 400, 2, 3, 4)
    change = torch.randn(400, 2, 3, 4)
    continued = carry_over(observed, observed + change, neighbors)
    alone = (continued[0] == observed + change).flatten(1).all(dim=1)
    assert torch.equal(alone, (continued[1] == observed + change).flatten(1).all(dim=1))
    assert 0.12 < alone.float().mean() < 0.28
    for neighbor, shown in zip(neighbors, continued, strict=True):
        ends = (shown == neighbor).flatten(1).all(dim=1)
        assert 0.2 < ends[~alone].float().mean() < 0.4
        goes_on = ~ends & ~alone
        torch.testing.assert_close(shown[goes_on], (neighbor + change)[goes_on])


def test_a_slice_without_neighbors_stays_its_own_neighbor():
    observed, planted = torch.randn(2, 9, 1, 3, 4)
    for shown in carry_over(observed, planted, [observed, observed]):
        assert torch.equal(shown, planted)
