"""NaN background in tensors: filled before a network, left out of every mean."""

import torch


def split_background(batch, background):
    """Fill NaN and say where the foreground is.

    Parameters
    ----------
    batch : Tensor of shape (n, n_contrasts, height, width) or (n, 2, n_contrasts, height, width)
        Images, or pairs of image and reference; the foreground of a pair is that of its image.
    background : Tensor of shape (n_contrasts,)
        Value of the background in each contrast.

    Returns
    -------
    filled : Tensor of the shape of batch
    foreground : bool Tensor of shape (n, 1, height, width)
    """
    observed = batch if batch.dim() == 4 else batch[:, 0]
    foreground = ~observed.isnan().all(dim=1, keepdim=True)
    return fill_background(batch, foreground, background), foreground


def fill_background(images, foreground, background):
    """Put the background outside the foreground, and wherever a contrast is NaN.

    Parameters
    ----------
    images : Tensor of shape (n, n_contrasts, height, width) or (n, 2, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    background : Tensor of shape (n_contrasts,)

    Returns
    -------
    Tensor of the shape of images
    """
    inside = foreground if images.dim() == 4 else foreground[:, None]
    return torch.where(inside & ~images.isnan(), images, background[:, None, None])


def foreground_mean(values, foreground):
    """Mean of ``values`` (n, C, height, width) over the foreground (n, 1, height, width) of a batch."""
    weights = foreground.to(values.dtype)
    return (values * weights).sum() / (weights.sum() * values.shape[1]).clamp(min=1)


def standardize_foreground(maps, foreground):
    """Maps with mean 0 and standard deviation 1 over the foreground of each slice.

    Parameters
    ----------
    maps : Tensor of shape (n, height, width)
    foreground : bool Tensor of shape (n, height, width)

    Returns
    -------
    Tensor of shape (n, height, width)
        0 where all foreground pixels of a slice are equal.
    """
    count = foreground.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    centered = maps - (maps * foreground).sum(dim=(1, 2), keepdim=True) / count
    deviation = ((centered.square() * foreground).sum(dim=(1, 2), keepdim=True) / count).sqrt()
    return torch.where(deviation > 0, centered / deviation, 0)


def foreground_median(images, foreground):
    """Median of every contrast over the foreground of every image.

    Parameters
    ----------
    images : Tensor of shape (n, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)

    Returns
    -------
    Tensor of shape (n, n_contrasts); 0 where an image has no foreground.
    """
    values = torch.where(foreground, images, torch.nan).flatten(2)
    return values.nanmedian(dim=2).values.nan_to_num()
