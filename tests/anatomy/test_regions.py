"""Places in MNI space, against anatomy that every atlas agrees on."""

import numpy as np
import pytest

from skad.anatomy import describe_places, is_in_mni_space
from skad.io import Volume

PLACES = {
    "the left centrum semiovale": ((-28, -20, 34), "left hemisphere, white matter"),
    "the right lateral ventricle": ((10, 0, 20), "right, ventricles"),
    "the pons": ((0, -28, -32), "midline, brainstem"),
    "the right cerebellum": ((28, -64, -38), "right, cerebellum"),
    "far outside": ((0, 0, 300), "outside the brain"),
    "beside the head": ((88, 0, 0), "outside the brain"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_place_is_named_as_in_any_atlas(name):
    point, words = PLACES[name]
    assert describe_places([point])[0].startswith(words)


def test_left_and_right_are_told_apart_and_nothing_else():
    points = np.array([[30.0, -20, 30], [45, 10, 20], [20, -70, -40]])
    right, left = describe_places(points), describe_places(points * [-1, 1, 1])
    assert [each.replace("right", "left") for each in right] == left  # the template is symmetric


def test_the_distance_from_the_ventricles_grows_outwards():
    places = describe_places([[x, 0, 20] for x in (20, 26, 32)])
    distances = [int(place.split(", ")[-1].split()[0]) for place in places if "mm" in place]
    assert distances == sorted(distances)
    assert len(distances) >= 2


def test_only_volumes_that_say_so_are_in_mni_space():
    images, affine = {"T1w": np.ones((7, 8, 9))}, np.eye(4)
    assert not is_in_mni_space(Volume(images, affine, info={"paths": {"T1w": "sub-01_T1w.nii.gz"}}))
    assert is_in_mni_space(Volume(images, affine, info={"paths": {"T1w": "sub-01_space-MNI152Lin_T1w.nii"}}))
    assert is_in_mni_space(Volume(images, affine, info={"space": "MNI152NLin2009aSym"}))
