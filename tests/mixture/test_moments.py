"""Moments of a mixture: against numpy's weighted covariance and the streaming statistics."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skad.mixture import SufficientStatistics, mixture_moments

N_PIXELS, N_FEATURES, N_COMPONENTS = 41, 3, 2


def make_pixels(seed=0, offset=0.0, n_pixels=N_PIXELS):
    random = torch.Generator().manual_seed(seed)
    features = offset + torch.randn(n_pixels, N_FEATURES, generator=random, dtype=torch.float64)
    responsibilities = torch.randn(n_pixels, N_COMPONENTS, generator=random, dtype=torch.float64).softmax(1)
    return features, responsibilities


def streamed(features, responsibilities):
    return SufficientStatistics(N_COMPONENTS, N_FEATURES).update(features, responsibilities)


def assert_same_parameters(actual, expected, rtol=1e-10):
    for one, other in zip(actual, expected, strict=True):
        assert_allclose(one, other, rtol=rtol, atol=1e-12)


def test_moments_are_the_weighted_means_and_covariances_of_numpy():
    features, responsibilities = make_pixels()
    weights, means, covariances = mixture_moments(features, responsibilities)
    assert_allclose(weights, responsibilities.mean(dim=0))
    for k in range(N_COMPONENTS):
        assert_allclose(means[k], np.average(features, axis=0, weights=responsibilities[:, k]))
        expected = np.cov(features.T, aweights=responsibilities[:, k], ddof=0)
        assert_allclose(covariances[k], expected, rtol=1e-12, atol=1e-14)


def test_a_large_offset_does_not_change_the_covariances():
    features, responsibilities = make_pixels(n_pixels=2000)
    covariances = mixture_moments(features, responsibilities)[2]
    shifted = mixture_moments(features + 1e4, responsibilities)[2]
    assert_allclose(shifted, covariances, rtol=1e-9, atol=1e-11)


def test_a_large_offset_does_not_change_the_streamed_covariances():
    features, responsibilities = make_pixels(n_pixels=2000)
    expected = mixture_moments(features, responsibilities)[2]
    statistics = SufficientStatistics(N_COMPONENTS, N_FEATURES)
    for rows in torch.arange(2000).split(130):
        statistics.update(features[rows] + 1e4, responsibilities[rows])
    assert_allclose(statistics.parameters()[2], expected, rtol=1e-9, atol=1e-11)


def test_moments_of_float32_features_are_float64():
    features, responsibilities = make_pixels()
    moments = mixture_moments(features.float(), responsibilities.float())
    assert {part.dtype for part in moments} == {torch.float64}


def test_moments_do_not_change_under_autocast():
    features, responsibilities = (part.float() for part in make_pixels())
    wide = features.repeat(1, 12)  # 36 features: computed in float32, which autocast would lower
    expected = mixture_moments(wide, responsibilities)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same_parameters(mixture_moments(wide, responsibilities), expected, rtol=0)


def test_gradients_of_the_moments_are_those_of_finite_differences():
    features, responsibilities = make_pixels(n_pixels=7)
    inputs = features.requires_grad_(), responsibilities.requires_grad_()
    assert torch.autograd.gradcheck(mixture_moments, inputs)


def test_an_empty_component_has_zero_moments_and_finite_gradients():
    features = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    responsibilities = torch.tensor([[1.0, 0.0]] * 5, dtype=torch.float64, requires_grad=True)
    weights, means, covariances = mixture_moments(features, responsibilities)
    (weights.sum() + means.sum() + covariances.sum()).backward()
    assert weights[1] == 0 and not means[1].any() and not covariances[1].any()
    assert features.grad.isfinite().all() and responsibilities.grad.isfinite().all()


def test_rows_that_do_not_match_are_an_error_with_both_shapes():
    with pytest.raises(ValueError, match=r"got \(4, 3\) and \(5, 2\)"):
        mixture_moments(torch.zeros(4, 3), torch.ones(5, 2))


def test_no_pixel_at_all_is_an_error():
    with pytest.raises(ValueError, match="at least one foreground pixel"):
        mixture_moments(torch.zeros(0, 3), torch.ones(0, 2))
    with pytest.raises(ValueError, match="at least one foreground pixel"):
        SufficientStatistics(2, 3).parameters()


@settings(max_examples=50, deadline=None)
@given(
    cuts=st.lists(st.integers(0, N_PIXELS), max_size=6),
    seed=st.integers(0, 99),
    offset=st.sampled_from([0.0, -30.0, 1e4]),
)
def test_streaming_any_split_equals_all_at_once(cuts, seed, offset):
    features, responsibilities = make_pixels(seed, offset)
    statistics = SufficientStatistics(N_COMPONENTS, N_FEATURES)
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), N_PIXELS], strict=True):
        statistics.update(features[start:stop], responsibilities[start:stop])
    assert_same_parameters(statistics.parameters(), mixture_moments(features, responsibilities))


@settings(max_examples=50, deadline=None)
@given(
    owners=st.lists(st.integers(0, 3), min_size=N_PIXELS, max_size=N_PIXELS), order=st.permutations(range(4))
)
def test_workers_merged_in_any_order_equal_all_at_once(owners, order):
    features, responsibilities = make_pixels(offset=5.0)
    owners = torch.tensor(owners)
    workers = [streamed(features[owners == w], responsibilities[owners == w]) for w in order]
    merged = sum(workers, start=SufficientStatistics(N_COMPONENTS, N_FEATURES))
    assert merged.n_pixels == N_PIXELS
    assert_same_parameters(merged.parameters(), mixture_moments(features, responsibilities))


def test_merging_leaves_both_operands_as_they_were():
    one, other = streamed(*make_pixels(1)), streamed(*make_pixels(2))
    before = one.parameters(), other.parameters()
    _ = one + other
    assert_same_parameters(one.parameters(), before[0], rtol=0)
    assert_same_parameters(other.parameters(), before[1], rtol=0)


def test_statistics_come_back_from_a_worker_process():
    statistics = streamed(*make_pixels())
    returned = pickle.loads(pickle.dumps(statistics))
    assert_same_parameters(
        (returned + SufficientStatistics(2, 3)).parameters(), statistics.parameters(), rtol=0
    )


def test_streaming_float32_pixels_adds_them_up_in_float64():
    features, responsibilities = make_pixels(offset=100.0, n_pixels=3000)
    features, responsibilities = features.float(), responsibilities.float()
    expected = mixture_moments(features.double(), responsibilities.double())
    assert_same_parameters(streamed(features, responsibilities).parameters(), expected)


def test_statistics_of_other_sizes_are_refused():
    with pytest.raises(
        ValueError, match="2 components and 3 features can't take in 2 components and 4 features"
    ):
        SufficientStatistics(2, 3) + SufficientStatistics(2, 4)
    with pytest.raises(
        ValueError, match="1 components and 3 features can't take in 2 components and 3 features"
    ):
        SufficientStatistics(1, 3).update(*make_pixels())


def test_statistics_keep_no_graph():
    features, responsibilities = make_pixels()
    statistics = streamed(features.requires_grad_(), responsibilities)
    assert not any(part.requires_grad for part in statistics.parameters())
