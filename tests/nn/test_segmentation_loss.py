"""Dice and focal loss against their definitions, pixel by pixel."""

import math

import pytest
import torch
import torch.nn.functional as F

from skad.nn.segmentation_loss import focal_loss, one_hot_labels, soft_dice_loss

SHAPE = (2, 4, 5, 7)  # images, classes, rows, columns: all different


@pytest.fixture
def logits():
    torch.manual_seed(0)
    return torch.randn(SHAPE)


@pytest.fixture
def labels():
    torch.manual_seed(1)
    return torch.randint(-1, SHAPE[1], (SHAPE[0], *SHAPE[2:]))  # some pixels without a label


def _pixels(logits, labels):
    """Probabilities (n_labeled, n_classes) and labels (n_labeled,) of the labeled pixels, float64."""
    chosen = labels >= 0
    return logits.double().softmax(1).permute(0, 2, 3, 1)[chosen], labels[chosen]


def test_one_hot_has_one_channel_per_class_and_none_for_negative_labels(labels):
    expected = torch.stack([labels == k for k in range(4)], dim=1).float()
    assert torch.equal(one_hot_labels(labels, 4), expected)


def test_focal_loss_without_focus_is_the_cross_entropy(logits, labels):
    expected = F.cross_entropy(logits, labels, ignore_index=-1)
    torch.testing.assert_close(focal_loss(logits, labels, gamma=0.0), expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 3.5])
def test_focal_loss_is_its_definition(logits, labels, gamma):
    p, k = _pixels(logits, labels)
    p = p[torch.arange(len(k)), k]
    expected = -((1 - p) ** gamma * p.log()).mean()
    assert float(focal_loss(logits, labels, gamma)) == pytest.approx(float(expected), rel=1e-5)


def test_focal_loss_of_an_undecided_network_is_known():
    expected = 0.75**2 * math.log(4)
    loss = focal_loss(torch.zeros(1, 4, 2, 3), torch.tensor([[[0, 1, 2], [3, -1, 1]]]))
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("certainty", [1e-4, 50.0, 1e4])
def test_gradients_are_finite_for_sure_and_for_wrong_pixels(gamma, certainty):
    logits = torch.zeros(1, 2, 1, 2)
    logits[0, 0] = certainty
    logits.requires_grad_()
    labels = torch.tensor([[[0, 1]]])
    (focal_loss(logits, labels, gamma) + soft_dice_loss(logits, labels)).backward()
    assert logits.grad.isfinite().all()


def test_dice_loss_is_its_definition_over_all_slices_of_the_batch(logits, labels):
    p, labels_seen = _pixels(logits, labels)
    dice = []
    for k in range(4):
        r = (labels_seen == k).double()
        dice.append(2 * (p[:, k] * r).sum() / (p[:, k].sum() + r.sum()))
    assert float(soft_dice_loss(logits, labels)) == pytest.approx(1 - float(sum(dice)) / 4, rel=1e-5)


def test_dice_loss_of_a_sure_network_is_one_minus_the_dice_of_its_segmentation(logits, labels):
    segmentation = logits.argmax(1)
    sizes = []
    for k in range(4):
        a, b = (segmentation == k) & (labels >= 0), labels == k
        sizes.append(2 * int((a & b).sum()) / int(a.sum() + b.sum()))
    loss = soft_dice_loss(1000 * one_hot_labels(segmentation, 4), labels)
    assert float(loss) == pytest.approx(1 - sum(sizes) / 4)


def test_dice_loss_leaves_out_classes_that_nobody_has(logits):
    labels = torch.randint(0, 2, (2, 5, 7))
    p = logits.double().softmax(1)
    dice = [2 * (p[:, k] * (labels == k)).sum() / (p[:, k].sum() + (labels == k).sum()) for k in range(2)]
    assert float(soft_dice_loss(logits, labels)) == pytest.approx(1 - float(sum(dice)) / 2, rel=1e-5)


@pytest.mark.parametrize("loss", [soft_dice_loss, focal_loss])
def test_what_a_network_says_where_there_is_no_label_does_not_matter(loss, logits, labels):
    logits.requires_grad_()
    loss(logits, labels).backward()
    unlabeled = (labels < 0)[:, None].expand(SHAPE)
    assert (logits.grad[unlabeled] == 0).all() and (logits.grad[~unlabeled] != 0).any()


@pytest.mark.parametrize("loss", [soft_dice_loss, focal_loss])
def test_a_batch_without_labels_costs_nothing(loss, logits):
    assert float(loss(logits, torch.full((2, 5, 7), -1))) == 0
