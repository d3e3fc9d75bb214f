"""U-Net of residual blocks."""

from skad.nn.residual_blocks import ResidualBlock
from skad.nn.unet import UNet


class ResidualUNet(UNet):
    """A U-Net whose levels are residual blocks, as K's segmentation network (K, III-C.5).

    Parameters
    ----------
    n_inputs, n_outputs : int
        Channels.
    width : int, default=32
        Feature maps of the finest level; they double per level, up to 8 times as many.
    depth : int, default=4
        Halvings of the resolution.

    Notes
    -----
    K names ResUNet-a, whose residual blocks also hold parallel dilated convolutions. We: the residual blocks
    of K's autoencoders instead; the sizes are ours.

    References
    ----------
    Diakogiannis et al., ISPRS J Photogramm and Remote Sens. 162 (2020).

    Examples
    --------
    >>> import torch
    >>> ResidualUNet(3, 5, width=4, depth=2).eval()(torch.zeros(2, 3, 13, 10)).shape
    torch.Size([2, 5, 13, 10])
    """

    def __init__(self, n_inputs, n_outputs, *, width=32, depth=4):
        super().__init__(n_inputs, n_outputs, width=width, depth=depth)

    def _block(self, n_inputs, n_outputs):
        return ResidualBlock(n_inputs, n_outputs)
