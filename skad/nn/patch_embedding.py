"""Embeddings of small patches, one patch at a time or of every patch of an image at once (K, III-C.4).

The convolutions inside a patch are *valid*: they never look past its border. So a patch gives the same values
inside a large image as alone, and all patches of an image can share them. Where pooling halves a patch, an
image is pooled at every pixel instead and split into four: even and odd rows and columns, each of which is an
image of its own to what follows (Giusti et al. 2013). That is a trous convolution, in a layout that is fast.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class PatchEmbedding(nn.Module):
    """Residual blocks with max pooling, then a multilayer perceptron: patches to vectors.

    Parameters
    ----------
    n_inputs : int
        Contrasts.
    channels : sequence of int, default=(64, 128, 256, 512)
        Filters of the convolutions, two for each residual block.
    n_hidden : int, default=1024
        Hidden units of the perceptron.
    n_outputs : int, default=256
        Length of an embedding.
    patch_size : int, default=32
        Pixels; one side of the patches.
    pooling : {"average", "flatten"}, default="average"
        What the perceptron sees of the last feature maps: their means, or all of their pixels.

    Attributes
    ----------
    n_cells : int
        Side of the last feature maps of a patch, pixels.

    Raises
    ------
    ValueError
        The filters do not come in pairs, or the patch is too small for so many blocks.

    Examples
    --------
    >>> import torch
    >>> network = PatchEmbedding(1, (4, 8), n_hidden=16, n_outputs=3, patch_size=12)
    >>> network(torch.zeros(5, 1, 12, 12)).shape
    torch.Size([5, 3])
    >>> network.dense(torch.zeros(5, 1, 20, 24)).shape
    torch.Size([5, 3, 9, 13])
    """

    def __init__(
        self,
        n_inputs,
        channels=(64, 128, 256, 512),
        *,
        n_hidden=1024,
        n_outputs=256,
        patch_size=32,
        pooling="average",
    ):
        super().__init__()
        if not len(channels) or len(channels) % 2:
            raise ValueError(f"channels should come in pairs, two for each block, got {tuple(channels)}.")
        self.n_inputs, self.channels, self.n_hidden, self.n_outputs = n_inputs, channels, n_hidden, n_outputs
        self.patch_size, self.pooling = patch_size, pooling
        self.n_cells = patch_size
        for _ in range(len(channels) // 2):
            self.n_cells = (self.n_cells - 4) // 2
        if self.n_cells < 1:
            raise ValueError(
                f"patch_size should leave a pixel after {len(channels) // 2} blocks, each of which takes "
                f"away 4 and halves the rest, got {patch_size}."
            )
        inputs = (n_inputs, *channels[1:-1:2])
        self.blocks = nn.ModuleList(
            ValidResidualBlock(*block) for block in zip(inputs, channels[::2], channels[1::2], strict=True)
        )
        n_seen = channels[-1] * (self.n_cells**2 if pooling == "flatten" else 1)
        self.hidden = nn.Linear(n_seen, n_hidden)
        self.output = nn.Linear(n_hidden, n_outputs)

    def forward(self, patches):
        """Patches (n, n_inputs, patch_size, patch_size) to embeddings (n, n_outputs)."""
        features = patches
        for block in self.blocks:
            features = F.max_pool2d(block(features), 2)
        seen = features.flatten(1) if self.pooling == "flatten" else features.mean(dim=(2, 3))
        return self.output(F.relu(self.hidden(seen)))

    def dense(self, images, stride=1):
        """Embeddings of all patches of images, or of those that start at every ``stride``-th pixel.

        Parameters
        ----------
        images : Tensor of shape (n, n_inputs, height, width)
            At least patch_size in both directions.
        stride : int, default=1
            Pixels.

        Returns
        -------
        Tensor of shape (n, n_outputs, rows, columns)
            ``[:, :, i, j]`` is the embedding of the patch whose first pixel is (i * stride, j * stride);
            rows = (height - patch_size) // stride + 1.
        """
        rows, columns = ((side - self.patch_size) // stride + 1 for side in images.shape[-2:])
        features, halved, split = images.contiguous(memory_format=torch.channels_last), 1, 0
        for block in self.blocks:
            features = block(features)
            if stride % (2 * halved) == 0:  # the patches between are not asked for: halve as in a patch
                features = F.max_pool2d(features, 2)
                halved *= 2
            else:
                features = _split_phases(_max_of_neighbors(features))
                split += 1
        embeddings = self._perceptron_everywhere(features)
        for _ in range(split):
            embeddings = _join_phases(embeddings)
        step = stride // halved
        return embeddings[:, :, : rows * step : step, : columns * step : step]

    def _perceptron_everywhere(self, features):
        weight = self.hidden.weight[:, :, None, None]
        if self.pooling == "flatten":
            weight = weight.view(len(weight), -1, self.n_cells, self.n_cells)
        else:
            features = F.avg_pool2d(features, self.n_cells, stride=1)
        hidden = F.relu(F.conv2d(features, weight, self.hidden.bias))
        return F.conv2d(hidden, self.output.weight[:, :, None, None], self.output.bias)


class ValidResidualBlock(nn.Module):
    """Two [valid 3x3 convolution, batch norm, ReLU] beside a connection that skips them (K, III-C.4).

    Parameters
    ----------
    n_inputs, n_hidden, n_outputs : int
        Channels before, between and after the convolutions. The skipping connection is a 1x1 convolution with
        batch norm (He et al. 2016): the channels always change.
    """

    def __init__(self, n_inputs, n_hidden, n_outputs):
        super().__init__()
        self.first = _convolution(n_inputs, n_hidden, 3)
        self.second = _convolution(n_hidden, n_outputs, 3)
        self.skip = _convolution(n_inputs, n_outputs, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in (n_hidden, n_outputs, n_outputs))

    def forward(self, features):
        """Features (n, n_inputs, h, w) to (n, n_outputs, h - 4, w - 4)."""
        first, second, skip = self.norms
        hidden = F.relu(first(self.first(features)), inplace=True)
        hidden = F.relu(second(self.second(hidden)), inplace=True)
        return hidden + skip(self.skip(features)[:, :, 2:-2, 2:-2])


def _convolution(n_inputs, n_outputs, size):
    layer = nn.Conv2d(n_inputs, n_outputs, size, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu" if size > 1 else "linear")
    return layer


def _max_of_neighbors(features):
    """Max pooling of 2 x 2 pixels at every pixel, several times as fast as ``max_pool2d`` on a CPU."""
    rows = torch.maximum(features[:, :, 1:], features[:, :, :-1])
    return torch.maximum(rows[..., 1:], rows[..., :-1])


def _split_phases(features):
    """Even and odd rows and columns (n, C, h, w) as images (4 n, C, ceil(h / 2), ceil(w / 2))."""
    height, width = features.shape[-2:]
    if height % 2 or width % 2:
        features = F.pad(features, (0, width % 2, 0, height % 2))  # no whole patch reaches what is added
    return torch.cat([features[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)])


def _join_phases(features):
    """The inverse of :func:`_split_phases`, with the row and column that it added."""
    phases = features.unflatten(0, (2, 2, -1))  # row, column, image
    return phases.permute(2, 3, 4, 0, 5, 1).flatten(4, 5).flatten(2, 3)


def patch_margins(patch_size):
    """Pixels of a patch before and after the pixel it stands for: 15 and 16 of 32 (METHODS K5)."""
    return (patch_size - 1) // 2, patch_size // 2


def pad_for_patches(images, patch_size):
    """Reflect images (..., height, width) so that every pixel has its whole patch.

    Raises
    ------
    ValueError
        An image is too small to be reflected so far.
    """
    before, after = patch_margins(patch_size)
    if min(images.shape[-2:]) <= after:
        raise ValueError(
            f"Patches of {patch_size} pixels need images of at least {after + 1} x {after + 1} pixels, "
            f"got {images.shape[-2]} x {images.shape[-1]}."
        )
    flat = images.flatten(0, -4) if images.dim() > 4 else images
    padded = F.pad(flat, (before, after, before, after), mode="reflect")
    return padded.view(*images.shape[:-2], *padded.shape[-2:])


def embedding_differences(network, pairs, *, stride=1, tile_size=128):
    """Embedding of the patch around every pixel of the image minus that of the reference.

    Parameters
    ----------
    network : PatchEmbedding
        In evaluation mode.
    pairs : Tensor of shape (n, 2, n_contrasts, height, width)
        Without NaN.
    stride : int, default=1
        Distance of the pixels that are looked at, from the first row and column on.
    tile_size : int, default=128
        Side of the tiles that are looked at together, pixels. Tiles overlap by a patch, so that their size
        decides memory and never values.

    Yields
    ------
    rows, columns : slice
        Where the tile lies in a map of the pixels looked at, ceil(height / stride) x ceil(width / stride).
    differences : Tensor of shape (n, n_outputs, ...), float32
    """
    n_pairs, _, _, height, width = pairs.shape
    padded = pad_for_patches(pairs, network.patch_size)
    step = max(1, tile_size // stride) * stride
    reach = network.patch_size - 1
    for top in range(0, height, step):
        for left in range(0, width, step):
            bottom, right = min(top + step, height), min(left + step, width)
            tile = padded[..., top : bottom + reach, left : right + reach]
            embeddings = network.dense(tile.flatten(0, 1), stride).float()
            observed, reference = embeddings.view(n_pairs, 2, *embeddings.shape[1:]).unbind(1)
            rows = slice(top // stride, math.ceil(bottom / stride))
            columns = slice(left // stride, math.ceil(right / stride))
            yield rows, columns, observed - reference


def fill_between(maps, stride, shape):
    """Bilinear interpolation of maps (n, F, rows, columns) of every ``stride``-th pixel to ``shape``.

    Pixels after the last one that was looked at get its value.
    """
    if stride == 1:
        return maps
    reached = [(side - 1) * stride + 1 for side in maps.shape[-2:]]
    full = F.interpolate(maps, size=reached, mode="bilinear", align_corners=True)
    missing = [max(side - end, 0) for side, end in zip(shape, reached, strict=True)]
    full = F.pad(full, (0, missing[1], 0, missing[0]), mode="replicate")
    return full[..., : shape[0], : shape[1]]
