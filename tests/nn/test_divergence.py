"""Draws from the encoder's distribution."""

import torch

from skad.nn.divergence import draw_normal


def test_draws_of_one_seed_do_not_depend_on_the_layout_in_memory():
    mean, log_variance = torch.randn(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)
    torch.manual_seed(0)
    expected = draw_normal(mean, log_variance)
    torch.manual_seed(0)
    mean = mean.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(draw_normal(mean, log_variance), expected, rtol=0, atol=0)
