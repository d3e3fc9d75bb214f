"""Maps averaged over views: each comes back to where it was seen."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from skad.nn.views import average_over_views
from skad.nn.warping import warp_foreground

BACKGROUND = torch.tensor([-1.0])


def smooth_slices(n=2, height=44, width=52):
    noise = np.random.default_rng(0).normal(size=(n, 1, height, width))
    images = torch.from_numpy(ndimage.gaussian_filter(noise, (0, 0, 4, 4)).astype(np.float32) * 9)
    foreground = torch.ones_like(images, dtype=torch.bool)
    foreground[..., :3, :] = foreground[..., :4] = False
    return torch.where(foreground, images, BACKGROUND), foreground


def itself(images, foreground):
    return images


def test_one_view_without_a_mirror_is_the_map_itself():
    images, foreground = smooth_slices()
    found = average_over_views(itself, images, foreground, BACKGROUND, flip=False)
    torch.testing.assert_close(found, images)


def test_the_mirror_image_is_turned_back():
    images, foreground = smooth_slices()
    columns = torch.arange(images.shape[-1], dtype=torch.float32).expand_as(images)
    found = average_over_views(lambda seen, inside: seen + columns, images, foreground, BACKGROUND)
    torch.testing.assert_close(found, images + (images.shape[-1] - 1) / 2)


@pytest.mark.parametrize("zooms", [(0.8,), (1.25,), (0.9, 1.1)])
def test_magnified_views_come_back_to_their_place(zooms):
    images, foreground = smooth_slices()
    found = average_over_views(itself, images, foreground, BACKGROUND, zooms=zooms)
    difference = (found - images)[foreground].abs()
    assert difference.max() < 0.15  # of a standard deviation of about 1: interpolated twice
    assert not torch.equal(found, images)


def test_a_view_shows_what_scipy_magnifies():
    images, foreground = smooth_slices(1)
    everywhere = torch.ones_like(foreground)
    seen = []
    average_over_views(
        lambda view, inside: seen.append(view) or view,
        images,
        everywhere,
        BACKGROUND,
        flip=False,
        zooms=(2.0,),
    )
    center = (np.array(images.shape[-2:]) - 1) / 2
    expected = ndimage.affine_transform(images[0, 0].numpy(), [0.5, 0.5], offset=0.5 * center, order=1)
    inner = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(seen[1][0, 0].numpy()[inner], expected[inner], atol=1e-4)


def test_the_background_is_not_mixed_into_a_view():
    _, foreground = smooth_slices()
    seen = []

    def watch(view, inside):
        seen.append((view, inside))
        return view

    constant = torch.where(foreground, 5.0, -100.0)
    average_over_views(watch, constant, foreground, torch.tensor([-100.0]), flip=False, zooms=(0.9,))
    view, inside = seen[1]
    torch.testing.assert_close(view[inside], torch.full_like(view[inside], 5.0))
    assert (view[~inside] == -100).all()


def test_what_a_view_does_not_show_is_left_to_the_others():
    images, foreground = smooth_slices()
    shown = []

    def by_call(view, inside):
        shown.append(1)
        return torch.full_like(view, float(len(shown)))

    found = average_over_views(by_call, images, foreground, BACKGROUND, flip=False, zooms=(2.0,))
    assert found[..., 20, 20].unique().item() == pytest.approx(1.5)  # both views
    assert found[..., -1, -1].unique().item() == pytest.approx(1.0)  # beyond the frame of the second


def test_warping_a_pair_moves_both_images_alike():
    images, foreground = smooth_slices()
    pairs = torch.stack([images, images], dim=1)
    turned = torch.tensor([[[0.8, -0.3, 0.1], [0.3, 0.8, 0.0]]]).expand(len(images), 2, 3)
    moved, share = warp_foreground(pairs, foreground, turned)
    alone, _ = warp_foreground(images, foreground, turned)
    torch.testing.assert_close(moved[:, 0], alone)
    torch.testing.assert_close(moved[:, 1], alone)
    assert share.min() >= 0
    assert share.max() <= 1 + 1e-6
