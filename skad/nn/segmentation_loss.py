"""Losses of a network that names the class of every pixel. A negative label leaves its pixel out."""

import torch
import torch.nn.functional as F


def one_hot_labels(labels, n_classes):
    """One channel per class: 1 where the label names it, 0 elsewhere and where the label is negative.

    Parameters
    ----------
    labels : int64 Tensor of shape (n, height, width)
        From 0 to n_classes - 1, or negative.
    n_classes : int

    Returns
    -------
    float32 Tensor of shape (n, n_classes, height, width)
    """
    of_class = F.one_hot(labels.clamp(min=0), n_classes).movedim(-1, 1)
    return of_class.float() * (labels >= 0)[:, None]


def soft_dice_loss(logits, labels):
    """One minus the Dice of soft segmentation and labels, averaged over the classes of the batch.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes, height, width)
    labels : int64 Tensor of shape (n, height, width)

    Returns
    -------
    scalar Tensor
        In [0, 1]; 0 where no pixel is labeled.

    Notes
    -----
    Dice of class k is ``2 sum p_k r_k / (sum p_k + sum r_k)`` with the softmax p and the one-hot labels r,
    summed over the labeled pixels of all slices. We: a class that no pixel of the batch has is left out, for
    its Dice is 0 whatever the network says; classes count alike whatever their size.

    References
    ----------
    Sudre et al. 2017, eq. (4), cited by K for its soft Dice loss.
    """
    expected = one_hot_labels(labels, logits.shape[1])
    predicted = logits.float().softmax(dim=1) * (labels >= 0)[:, None]
    overlap, sizes = ((each.sum(dim=(0, 2, 3))) for each in (predicted * expected, predicted + expected))
    present = expected.amax(dim=(0, 2, 3))
    dice = 2 * overlap / sizes.clamp(min=torch.finfo(sizes.dtype).tiny)
    return (present * (1 - dice)).sum() / present.sum().clamp(min=1)


def focal_loss(logits, labels, gamma=2.0):
    """Cross-entropy that counts a pixel the less, the surer the network is of its label.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes, height, width)
    labels : int64 Tensor of shape (n, height, width)
    gamma : float, default=2.0
        0 is plain cross-entropy; 2 is the choice of Lin et al.

    Returns
    -------
    scalar Tensor
        Mean of ``-(1 - p)^gamma log p`` over the labeled pixels, p the softmax of their label; nats. 0 where
        no pixel is labeled.

    References
    ----------
    Lin et al., ICCV 2017, eq. (4).
    """
    expected = one_hot_labels(labels, logits.shape[1])
    log_p = (logits.float().log_softmax(dim=1) * expected).sum(dim=1)
    doubt = -torch.expm1(log_p)  # 1 - p without cancellation
    doubt = doubt.clamp(min=torch.finfo(doubt.dtype).tiny)  # 0 ** gamma has no finite slope for gamma < 1
    return (-(doubt**gamma) * log_p).sum() / (labels >= 0).sum().clamp(min=1)
