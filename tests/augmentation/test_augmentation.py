"""Geometry and intensity together."""

import pytest
import torch
from sklearn.utils._param_validation import InvalidParameterError

from skad.augmentation import Augmentation, Geometry, Intensity
from skad.training import seeded

MOVES = {"rotation": 20, "scaling": 0.2, "translation": 0.1}
COLORS = {"scaling": 0.3, "shift": 0.5, "gamma": 0.4, "sharpness": 1.5}


def change(batch, seed=0):
    with seeded(seed):
        return Augmentation(Geometry(**MOVES), Intensity(**COLORS))(*batch)


def test_images_of_a_pair_change_alike(batch):
    images, foreground = batch
    changed, _ = change((torch.stack([images, images], dim=1), foreground))
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert not torch.equal(changed[:, 0], images)


def test_pair_and_image_see_the_same_view(batch):
    images, foreground = batch
    single, _ = change(batch)
    pair, _ = change((torch.stack([images, images], dim=1), foreground))
    assert torch.equal(pair[:, 0], single)


def test_labels_follow_the_geometry_and_know_nothing_of_the_intensity(batch):
    images, foreground = batch
    labels = torch.randint(-1, 3, (8, 20, 24), generator=torch.Generator().manual_seed(0))
    with seeded(0):
        expected = Geometry(**MOVES)(images, foreground, labels)[2]
    changed, _, found = change((images, foreground, labels))
    assert torch.equal(found, expected) and not torch.equal(changed, images)


def test_without_parts_nothing_changes(batch):
    images, foreground = Augmentation()(*batch)
    assert torch.equal(images, batch[0]) and torch.equal(foreground, batch[1])


def test_same_seed_gives_the_same_view(batch):
    assert torch.equal(change(batch)[0], change(batch)[0])
    assert not torch.equal(change(batch)[0], change(batch, seed=1)[0])


def test_input_is_not_written(batch):
    before = batch[0].clone(), batch[1].clone()
    change(batch)
    assert torch.equal(batch[0], before[0]) and torch.equal(batch[1], before[1])


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        (Geometry, {"rotation": -1}),
        (Geometry, {"scaling": 1.0}),
        (Geometry, {"flip": "yes"}),
        (Intensity, {"shift": None}),
        (Intensity, {"gamma": -1}),
        (Augmentation, {"geometry": Intensity()}),
        (Augmentation, {"intensity": "bright"}),
    ],
)
def test_parameters_outside_their_domain_are_refused(batch, part, bad):
    with pytest.raises(InvalidParameterError, match=f"'{next(iter(bad))}' parameter of {part.__name__}"):
        part(**bad)(*batch)
