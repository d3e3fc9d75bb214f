"""What objects show in a notebook."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from skad.io import Volume
from skad.preprocessing import VolumePreprocessor
from skad.utils.notebook import card, picture

SHAPE = (7, 8, 9)
RADIOLOGICAL = np.diag([-1.0, 1, 2, 1])  # stored axes towards left, anterior and superior


def drawn(html):
    """Captions and gray values of the pictures of some HTML."""
    found = re.findall(r'alt="([^"]*)" src="data:image/png;base64,([^"]*)"', html)
    return {name: np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))) for name, png in found}


def test_text_is_escaped():
    html = card("<b>", {"<i>": "<u>"}, rows=[{"<p>": "<s>"}], pictures=[picture("<em>", np.eye(2))])
    assert not re.search("<(b|i|u|p|s|em)>", html)
    assert {"&lt;b&gt;", "&lt;i&gt;", "&lt;u&gt;", "&lt;s&gt;"} <= {*re.findall("&lt;.&gt;", html)}


def test_a_pixel_keeps_its_shape():
    image = drawn(picture("thick", np.eye(4, 5), aspect=2.5, width=100))["thick"]
    assert image.shape == (round(100 * 2.5 * 4 / 5), 100)


def test_the_darkest_is_black_the_brightest_white_and_nan_black():
    pixels = np.array([[np.nan, 3.0], [1.0, 2.0]])
    gray = drawn(picture("a", pixels, width=2))["a"]
    assert gray[0, 0] == gray[1, 0] == 0 and gray[0, 1] == 255 and 100 < gray[1, 1] < 155


@pytest.mark.parametrize("pixels", [np.full((2, 3), np.nan), np.full((2, 3), 5.0)])
def test_a_picture_without_differences_is_black(pixels):
    assert not drawn(picture("a", pixels))["a"].any()


def test_a_volume_shows_its_middle_axial_slice_anterior_up_and_the_right_on_the_left():
    image = np.zeros(SHAPE)
    image[0, 7, 4] = 1  # the patient's right, most anterior, the middle of 9 slices
    gray = drawn(Volume({"T1w": image}, RADIOLOGICAL)._repr_html_())["T1w"]
    np.testing.assert_array_equal(
        np.unravel_index(gray.argmax(), gray.shape) < np.array(gray.shape) / 4, True
    )


def test_a_volume_of_sagittal_slices_is_shown_with_square_millimeters():
    stored_as_ras = np.diag([4.0, 1, 1, 1])  # 7 slices of 4 mm side by side
    gray = drawn(Volume({"T1w": np.ones(SHAPE)}, stored_as_ras)._repr_html_())["T1w"]
    assert gray.shape[0] / gray.shape[1] == pytest.approx(8 * 1 / (7 * 4), abs=0.01)


def test_a_volume_whose_voxels_cannot_be_read_says_why():
    broken = Volume({"T1w": np.where(np.arange(9) == 4, np.nan, np.ones(SHAPE))}, np.eye(4), subject="a")
    html = broken._repr_html_()
    assert "T1w of subject &#x27;a&#x27; has 56 NaN" in html and not drawn(html)


def test_a_stack_shows_slices_of_every_contrast():
    images = {"T1w": np.ones(SHAPE), "a<b": np.ones(SHAPE)}
    volume = Volume(images, np.eye(4), mask=np.ones(SHAPE))
    stack = VolumePreprocessor(size=(8, 7), intensity=None).fit_transform([volume])
    shown = drawn(stack._repr_html_())
    assert [*shown] == ["T1w", "a&lt;b"]
    height, width = shown["T1w"].shape
    assert width == pytest.approx(4 * height * 7 / 8, abs=4)
