"""Triplets of patches, cut out of a batch of images in one gather, and their loss (K, II-C)."""

import torch
import torch.nn.functional as F

from skad.nn.patch_embedding import pad_for_patches, patch_margins


def patch_centers(foreground, n_patches, patch_size):
    """Draw pixels whose patches are at least half foreground.

    Parameters
    ----------
    foreground : bool Tensor of shape (n, 1, height, width)
        What lies beyond the image is not foreground.
    n_patches : int
        Draws for each image, with replacement.
    patch_size : int
        Pixels.

    Returns
    -------
    centers : int Tensor of shape (n_images, n_patches, 2)
        Row and column, for the images that have such a patch.
    has_patches : bool Tensor of shape (n,)
        Which images those are.
    """
    before, after = patch_margins(patch_size)
    inside = F.pad(foreground.float(), (before, after, before, after))
    eligible = (F.avg_pool2d(inside, patch_size, stride=1) >= 0.5).flatten(1)
    has_patches = eligible.any(dim=1)
    if not has_patches.any():
        return eligible.new_zeros(0, n_patches, 2, dtype=torch.long), has_patches
    drawn = torch.multinomial(eligible[has_patches].float(), n_patches, replacement=True)
    width = foreground.shape[-1]
    return torch.stack([drawn // width, drawn % width], dim=-1), has_patches


def cut_patches(images, centers, patch_size):
    """The patches around pixels of images that are reflected at their borders.

    Parameters
    ----------
    images : Tensor of shape (n, n_contrasts, height, width)
    centers : int Tensor of shape (n, n_patches, 2)
        Row and column.
    patch_size : int
        Pixels.

    Returns
    -------
    Tensor of shape (n * n_patches, n_contrasts, patch_size, patch_size)
    """
    padded = pad_for_patches(images, patch_size)  # a patch starts where its pixel was
    span = torch.arange(patch_size, device=images.device)
    rows = centers[:, :, 0, None, None] + span[:, None]
    columns = centers[:, :, 1, None, None] + span
    which = torch.arange(len(images), device=images.device)[:, None, None, None]
    return padded.movedim(1, -1)[which, rows, columns].flatten(0, 1).movedim(-1, 1)


def draw_triplets(images, foreground, *, n_patches, patch_size, views):
    """Patches p, the same places moved and recolored a little p+, and other places of the same image p-.

    Parameters
    ----------
    images : Tensor of shape (n, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    n_patches : int
        Triplets of each image.
    patch_size : int
        Pixels.
    views : callable
        ``views(patches, inside)`` -> (patches, inside): the small random changes of p+. It gets a patch with
        half as much around it as context, of which the middle is kept.

    Returns
    -------
    anchors, positives, negatives : Tensors of shape (m, n_contrasts, patch_size, patch_size)
        m is n_patches times the number of images that have a patch with half foreground.
    """
    centers, has_patches = patch_centers(foreground, n_patches, patch_size)
    if not has_patches.any():
        return (images.new_zeros(0, images.shape[1], patch_size, patch_size),) * 3
    images = images[has_patches]
    elsewhere, _ = patch_centers(foreground[has_patches], n_patches, patch_size)
    negatives = cut_patches(images, elsewhere, patch_size)
    edge = patch_size // 4
    around = cut_patches(images, centers, patch_size + 2 * edge)
    moved, _ = views(around, torch.ones_like(around[:, :1], dtype=torch.bool))
    anchors, positives = (
        each[..., edge : edge + patch_size, edge : edge + patch_size] for each in (around, moved)
    )
    return anchors, positives, negatives


def triplet_loss(network, images, foreground, *, margin, draw):
    """Triplet margin loss of a batch of slices, L2 distances (K, eq. 8).

    Parameters
    ----------
    network : PatchEmbedding
    images : Tensor of shape (n, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    margin : float
        How much farther than the positive the negative should be.
    draw : callable
        ``draw(images, foreground)`` -> anchors, positives, negatives.

    Returns
    -------
    dict of scalar Tensors: "loss", 0 for slices without a patch that is half foreground; "n_triplets"
    """
    with torch.autocast(images.device.type, enabled=False):
        triplets = draw(images, foreground)
    if not len(triplets[0]):
        nothing = sum(p.sum() for p in network.parameters()) * 0
        return {"loss": nothing, "n_triplets": nothing}
    embeddings = network(torch.cat(triplets)).float().chunk(3)
    loss = F.triplet_margin_loss(*embeddings, margin=margin)
    return {"loss": loss, "n_triplets": loss.new_tensor(len(triplets[0]))}
