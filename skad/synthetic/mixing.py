"""Several families of planted lesions in one batch, and slices left clean."""

import torch

from skad.synthetic.placement import to_device


def plant_families(families, images, foreground, *, clean_share=0.15):
    """Plant synthetic lesions of one random family into each slice that is not left clean.

    Parameters
    ----------
    families : sequence of objects with ``plant(images, foreground)``
        All equally likely; a family named twice is drawn twice as often.
    images : Tensor of shape (n, n_contrasts, height, width)
        Normal slices, finite everywhere.
    foreground : bool Tensor of shape (n, 1, height, width)
        True in the foreground.
    clean_share : float, default=0.15
        Probability that a slice is unchanged.

    Returns
    -------
    images : Tensor of shape (n, n_contrasts, height, width)
        Changed only where the mask is not zero.
    mask : Tensor of shape (n, 1, height, width)
        0 normal, 1 lesion, intermediate on the rim.

    See Also
    --------
    skad.scoring.SyntheticAnomalyScorer : Learns to segment the lesions.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Blobs, Deformations, plant_families
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = plant_families([Blobs(), Deformations()], images, foreground)
    >>> bool((planted == images)[(mask == 0).expand_as(images)].all())
    True
    """
    n = len(images)
    drawn = torch.randint(len(families), (n,))  # on the CPU, so that nothing waits for the device
    drawn[torch.rand(n) < clean_share] = -1
    planted, mask = images.clone(), torch.zeros_like(images[:, :1])
    for i, family in enumerate(families):
        rows = to_device(torch.nonzero(drawn == i).flatten(), images.device)
        if len(rows):
            planted[rows], mask[rows] = family.plant(images[rows], foreground[rows])
    return planted, mask
