"""Labels go where their pixels go."""

import numpy as np
import pytest
import torch

from skad.anatomy.labelled_views import LabelledViews
from skad.augmentation import Augmentation

CLASSES = np.array([2, 5, 9])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _batch(n=16, height=24, width=20):
    """Slices whose intensity is the label: blocks of labels, some of them unlabelled, some background."""
    coarse = torch.from_numpy(
        np.random.default_rng(0).choice([-1, *CLASSES], size=(n, height // 4, width // 4))
    )
    labels = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)
    foreground = torch.ones(n, 1, height, width, dtype=torch.bool)
    foreground[:, :, :5, :7] = False
    return labels[:, None].float(), foreground, labels


def test_labels_become_indices_of_the_classes_and_minus_one_where_there_are_none():
    images, foreground, labels = _batch()
    _, _, indices = LabelledViews(CLASSES)(images, foreground, labels)
    expected = np.select([labels == k for k in CLASSES], [0, 1, 2], -1)
    np.testing.assert_array_equal(indices, np.where(foreground[:, 0], expected, -1))


@pytest.mark.parametrize("views", [{"flip": True}, {"flip": False, "rotation": 40.0, "scaling": 0.2}])
def test_indices_move_with_the_image(views):
    images, foreground, labels = _batch()
    moved, inside, indices = LabelledViews(CLASSES, Augmentation(**views))(images, foreground, labels)
    values = torch.tensor([-1, *CLASSES])
    pure = (moved[:, 0, :, :, None] - values).abs().min(dim=-1).values < 1e-4  # not between two labels
    pure &= inside[:, 0]
    expected = (moved[:, 0, :, :, None] - values).abs().argmin(dim=-1) - 1
    assert pure.float().mean() > 0.2 and torch.equal(indices[pure], expected[pure])
    assert not torch.equal(moved, images) and set(indices.unique().tolist()) == {-1, 0, 1, 2}
    assert (indices[~inside[:, 0]] == -1).all()


def test_intensities_change_in_the_image_only():
    images, foreground, labels = _batch()
    augmentation = Augmentation(flip=False, intensity_scaling=0.5, intensity_shift=2.0)
    _, _, expected = LabelledViews(CLASSES)(images, foreground, labels)
    changed, _, indices = LabelledViews(CLASSES, augmentation)(images, foreground, labels)
    assert torch.equal(indices, expected) and not torch.allclose(changed, images)
