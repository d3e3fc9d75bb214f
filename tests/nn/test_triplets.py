import numpy as np
import torch

from skad.augmentation import Augmentation
from skad.nn.triplets import cut_patches, draw_triplets, patch_centers

SAME = Augmentation()


def test_patches_are_those_that_numpy_cuts_from_the_reflected_image():
    images = torch.randn(2, 3, 9, 11)
    centers = torch.tensor([[[0, 0], [8, 10]], [[4, 5], [1, 9]]])
    found = cut_patches(images, centers, 6)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (2, 3), (2, 3)), mode="reflect")
    expected = [padded[i, :, r : r + 6, c : c + 6] for i in range(2) for r, c in centers[i].tolist()]
    np.testing.assert_array_equal(found.numpy(), np.stack(expected))


def test_drawn_patches_are_at_least_half_foreground_and_reach_every_such_place():
    foreground = torch.zeros(3, 1, 9, 12, dtype=torch.bool)
    foreground[0, :, :, :5] = True
    foreground[2, :, 4:, :] = True
    centers, has_patches = patch_centers(foreground, 4000, 6)
    assert has_patches.tolist() == [True, False, True]
    for inside, drawn in zip(foreground[has_patches, 0].numpy(), centers.numpy(), strict=True):
        padded = np.pad(inside, ((2, 3), (2, 3))).astype(float)
        share = np.lib.stride_tricks.sliding_window_view(padded, (6, 6)).mean(axis=(2, 3))
        assert {tuple(each) for each in drawn} == set(map(tuple, np.argwhere(share >= 0.5)))


def test_without_changes_a_positive_is_its_patch_and_a_negative_another_place():
    torch.manual_seed(0)
    images = torch.arange(20.0 * 24).view(1, 1, 20, 24)  # every place has values of its own
    foreground = torch.ones(1, 1, 20, 24, dtype=torch.bool)
    anchors, positives, negatives = draw_triplets(images, foreground, n_patches=9, patch_size=8, views=SAME)
    assert anchors.shape == positives.shape == negatives.shape == (9, 1, 8, 8)
    torch.testing.assert_close(positives, anchors)
    assert (anchors != negatives).flatten(1).any(dim=1).sum() >= 8


def test_views_change_the_positive_only():
    brighter = lambda images, foreground: (images + 100, foreground)  # noqa: E731
    images = torch.rand(2, 2, 20, 24)
    foreground = torch.ones(2, 1, 20, 24, dtype=torch.bool)
    anchors, positives, negatives = draw_triplets(
        images, foreground, n_patches=3, patch_size=8, views=brighter
    )
    torch.testing.assert_close(positives, anchors + 100)
    assert negatives.max() <= 1


def test_images_without_an_eligible_patch_give_none():
    anchors, _, _ = draw_triplets(
        torch.zeros(2, 1, 20, 24),
        torch.zeros(2, 1, 20, 24, dtype=torch.bool),
        n_patches=3,
        patch_size=8,
        views=SAME,
    )
    assert anchors.shape == (0, 1, 8, 8)
