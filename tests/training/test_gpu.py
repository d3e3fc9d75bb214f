"""The device path; needs a CUDA device."""

import numpy as np
import pytest
import torch
from torch import nn

from skad.augmentation import Augmentation, Geometry, Intensity
from skad.training import checkpoint_in, resolve_device

from ..tiny_estimators import TinyReconstructor

pytestmark = pytest.mark.gpu


def fit(images, **params):
    return TinyReconstructor(**{"max_epochs": 3, "random_state": 0, "device": "cuda", **params}).fit(images)


def test_auto_is_the_gpu():
    assert resolve_device("auto").type == "cuda"


def test_module_comes_back_to_the_cpu(images):
    fitted = fit(images)
    assert all(p.device.type == "cpu" for p in fitted.module_.parameters())


def test_float32_agrees_with_the_cpu(images):
    fitted = fit(images, device="cpu", precision="fp32")  # trainings diverge by Adam's first steps
    cpu = fitted.transform(images)
    np.testing.assert_allclose(fitted.set_params(device="cuda").transform(images), cpu, atol=5e-3)


def test_bf16_agrees_with_float32(images):
    half, full = (fit(images, precision=precision).transform(images) for precision in ("bf16", "fp32"))
    np.testing.assert_allclose(half, full, atol=0.2)


def test_same_seed_gives_the_same_on_the_gpu(images):
    augment = Augmentation(Geometry(rotation=10), Intensity(shift=0.1))
    first, second = (fit(images, augment=augment).transform(images) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_generators_of_the_caller_are_restored(images):
    before = torch.cuda.get_rng_state()
    fit(images, augment=Augmentation(Geometry(rotation=10)))
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_resumed_augmentation_goes_on_with_the_generator_of_the_gpu(images, tmp_path):
    augment = Augmentation(Geometry(rotation=10), Intensity(shift=0.1))
    for max_epochs in (1, 3):
        with checkpoint_in(tmp_path):
            resumed = fit(images, augment=augment, max_epochs=max_epochs)
    whole = fit(images, augment=augment)
    assert torch.equal(resumed.module_[0].weight, whole.module_[0].weight)


class Hungry(nn.Conv2d):
    """Asks for one more GiB with every slice of the batch."""

    def forward(self, images):
        extra = torch.empty(len(images) * 2**30, dtype=torch.uint8, device=images.device)
        return super().forward(images) + 0 * extra[0]


@pytest.fixture
def five_gigabytes():
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(5 * 2**30 / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_scoring_halves_the_batch_when_the_gpu_is_full(images, five_gigabytes):
    fitted = fit(images, max_epochs=1)
    expected = fitted.transform(images)
    conv = fitted.module_[0]
    fitted.module_[0] = hungry = Hungry(2, 2, 3, padding=1)
    hungry.load_state_dict(conv.state_dict())
    np.testing.assert_allclose(fitted.set_params(batch_size=7).transform(images), expected, atol=1e-2)


def test_training_names_the_batch_size_that_fits(images, five_gigabytes, monkeypatch):
    monkeypatch.setattr("tests.tiny_estimators.nn.Conv2d", Hungry)
    with pytest.raises(MemoryError, match="batch_size=3 fits"):
        fit(images, batch_size=6)
