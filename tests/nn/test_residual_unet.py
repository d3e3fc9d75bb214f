"""The U-Net of residual blocks: any size, and a path around every block."""

import pytest
import torch

from skad.nn.residual_blocks import ResidualBlock
from skad.nn.residual_unet import ResidualUNet


@pytest.mark.parametrize("size", [(16, 16), (13, 10), (3, 2)])
@pytest.mark.parametrize("depth", [0, 1, 4])
def test_output_has_the_size_of_the_image(size, depth):
    assert ResidualUNet(3, 5, width=4, depth=depth).eval()(torch.randn(2, 3, *size)).shape == (2, 5, *size)


def test_every_level_is_a_residual_block():
    network = ResidualUNet(2, 3, width=4, depth=3)
    assert len(network.down) == 4 and len(network.up) == 3
    assert all(isinstance(block, ResidualBlock) for block in [*network.down, *network.up])


def test_the_image_reaches_the_output_around_silent_blocks():
    network = ResidualUNet(1, 2, width=4, depth=2).eval()
    for block in [*network.down, *network.up]:
        for parameter in block.body.parameters():
            torch.nn.init.zeros_(parameter)
    first, second = torch.randn(2, 1, 1, 8, 12)
    assert not torch.allclose(network(first), network(second))
