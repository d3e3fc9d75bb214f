"""The mixture of many maps, and the energy of their pixels, against scikit-learn."""

import numpy as np
import torch
from sklearn.mixture import GaussianMixture

from skad.mixture import energy_map, foreground_pixels, stream_mixture


def make_maps():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(4, 3, 5, 7, generator=generator)
    return maps, torch.rand(4, 1, 5, 7, generator=generator) < 0.6


def test_foreground_pixels_come_slice_by_slice_row_by_row():
    maps, foreground = make_maps()
    expected = [maps[n, :, y, x] for n, _, y, x in foreground.nonzero().tolist()]
    torch.testing.assert_close(foreground_pixels(maps, foreground), torch.stack(expected))


def test_the_streamed_mixture_is_the_m_step_of_all_pixels():
    features, share = torch.randn(40, 3), torch.rand(40, 2)
    share = share / share.sum(dim=1, keepdim=True)
    weights, means, covariances = stream_mixture(zip(features.split(7), share.split(7), strict=True), 2, 3)
    rows, share = features.double().numpy(), share.double().numpy()
    np.testing.assert_allclose(weights, share.mean(axis=0), rtol=1e-6)
    for mean, covariance, each in zip(means, covariances, share.T, strict=True):
        np.testing.assert_allclose(mean, np.average(rows, axis=0, weights=each), rtol=1e-5)
        np.testing.assert_allclose(covariance, np.cov(rows.T, aweights=each, ddof=0), rtol=1e-5, atol=1e-9)


def test_the_energy_map_is_minus_the_log_density_and_zero_outside():
    maps, foreground = make_maps()
    rows = foreground_pixels(maps, foreground).double().numpy()
    mixture = GaussianMixture(2, random_state=0).fit(rows)
    parameters = map(torch.from_numpy, (mixture.weights_, mixture.means_, mixture.covariances_))
    energies = energy_map(maps, foreground, *parameters)
    assert (energies[~foreground[:, 0]] == 0).all()
    np.testing.assert_allclose(energies[foreground[:, 0]], -mixture.score_samples(rows), rtol=1e-5)
