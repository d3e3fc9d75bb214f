"""FAnoGANReconstructor: the game, the encoder after it, and resumption of both."""

import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

import skad
from skad.evaluation.collapse import CollapseWarning
from skad.nn.fanogan import FAnoGAN
from skad.reconstruction.fanogan import FAnoGANReconstructor
from skad.reconstruction.latent_search import LatentSearchTransformer
from skad.training import Run, checkpoint_in

GAME = {"critic_loss", "wasserstein_distance", "gradient_penalty", "generator_loss"}
ENCODER = {"encoder_loss", "image_residual", "feature_residual"}


def tiny(**params):
    defaults = {
        "channels": (4, 8),
        "n_latents": 3,
        "n_critic": 2,
        "max_epochs": 2,
        "batch_size": 16,
        "random_state": 0,
    }
    return FAnoGANReconstructor(**{**defaults, **params})


def weights(fitted, part=""):
    state = fitted.module_.state_dict()
    return torch.cat([value.flatten().double() for name, value in state.items() if name.startswith(part)])


class Kill(Callback):
    """Ctrl-C in the middle of epoch ``epoch`` of training ``training``, counted over all copies."""

    begun = 0

    def __init__(self, *, training, epoch):
        self.training = training
        self.epoch = epoch

    def on_train_begin(self, net, **kwargs):
        Kill.begun += 1

    def on_batch_end(self, net, **kwargs):
        if (Kill.begun, len(net.history)) == (self.training, self.epoch):
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def learned(blobs):
    """A game and an encoder that have seen the ellipses for a while."""
    params = {"channels": (8, 16), "max_epochs": 30, "batch_size": 8, "lr": 1e-3, "encoder_lr": 1e-3}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        return tiny(**params).fit(blobs)


def test_history_tells_of_both_trainings_in_every_epoch(blobs):
    fitted = tiny(max_epochs=3).fit(blobs)
    assert fitted.history_.keys() == GAME | ENCODER
    assert all(len(values) == 3 and np.isfinite(values).all() for values in fitted.history_.values())
    assert fitted.loss_curve_ == fitted.history_["encoder_loss"]


def test_the_critic_finds_a_distance_and_the_game_brings_it_down(learned):
    distance = np.array(learned.history_["wasserstein_distance"])
    assert distance.max() > 0.5
    assert distance[-5:].mean() < 0.7 * distance.max()


def test_generated_slices_take_on_the_intensities_of_the_training(learned, blobs):
    images = learned.sample(64, random_state=0)
    expected = np.nanmean(blobs, axis=(0, 2, 3))
    spread = np.nanstd(blobs, axis=(0, 2, 3))
    assert (np.abs(images[..., 2:].mean(axis=(0, 2, 3)) - expected) < 0.5 * spread).all()


def test_the_encoder_learns_to_invert_the_generator(learned):
    curve = learned.loss_curve_
    assert np.mean(curve[-5:]) < 0.6 * curve[0]


def test_training_the_encoder_leaves_generator_and_critic_alone(blobs):
    frozen, moved = tiny(encoder_lr=1e-12).fit(blobs), tiny(encoder_lr=1e-2).fit(blobs)
    for part in ("decoder", "critic"):
        assert torch.equal(weights(frozen, part), weights(moved, part)), part
    assert not torch.equal(weights(frozen, "encoder"), weights(moved, "encoder"))


def _play(n_steps, n_critic):
    """Which players moved in each step."""
    torch.manual_seed(0)
    module = FAnoGAN(1, channels=(3, 5), latent_channels=2, image_size=(8, 12))
    model = tiny(n_critic=n_critic, lr=0.01)
    run, moved = Run(module, torch.device("cpu"), None, model._players(module)), []
    images, foreground = torch.rand(4, 1, 8, 12), torch.ones(4, 1, 8, 12, dtype=torch.bool)
    for _ in range(n_steps):
        before = {name: weight.clone() for name, weight in module.named_parameters()}
        model._play(run, images, foreground)
        run.n_steps += 1
        moved.append(
            {name.split(".")[0] for name, w in module.named_parameters() if not torch.equal(w, before[name])}
        )
    return moved


def test_the_generator_steps_once_in_n_critic_steps_and_the_encoder_never():
    critic, both = {"critic"}, {"critic", "decoder"}
    assert _play(6, n_critic=3) == [critic, critic, both, critic, critic, both]
    assert _play(2, n_critic=1) == [both, both]


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("training", [1, 2])
def test_a_fit_killed_in_either_training_resumes_with_the_same_weights(blobs, tmp_path, training, epoch):
    """Three batches an epoch and a generator that steps with every second: it has to go on counting."""
    whole = tiny(max_epochs=3).fit(blobs)
    Kill.begun = 0
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        tiny(max_epochs=3, callbacks=[Kill(training=training, epoch=epoch)]).fit(blobs)
    with checkpoint_in(tmp_path):
        resumed = tiny(max_epochs=3).fit(blobs)
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.history_ == whole.history_


def test_references_are_generated_from_the_encoded_latents(learned, blobs):
    assert learned.latent_shape_ == (3, 1, 1)
    decoded = learned.decode(learned.encode(blobs))
    visible = ~np.isnan(blobs)
    np.testing.assert_allclose(learned.reconstruct(blobs)[visible], decoded[visible], rtol=1e-3, atol=1e-3)


def test_latents_can_be_searched(blobs):
    search = LatentSearchTransformer(tiny(), n_steps=5, lr=0.01).fit(blobs)
    curve = search.search_curve(blobs[:3])
    assert (curve[:, -1] < curve[:, 0]).all()


def test_a_lone_slice_with_one_pixel_of_map_trains(blobs):
    X = blobs[:5, :, :8, 2:10]
    assert np.isfinite(tiny(channels=(3, 4, 5), batch_size=4).fit(X).score_samples(X)).all()


def test_bf16_trains_too(blobs):
    fitted = tiny(precision="bf16").fit(blobs)
    assert all(np.isfinite(values).all() for values in fitted.history_.values())


def test_slices_that_are_all_the_same_are_called_a_collapse(blobs):
    with pytest.warns(CollapseWarning, match="hardly differs between slices, train longer"):
        tiny(max_epochs=5).fit(np.repeat(blobs[:1], 8, axis=0))


def test_a_file_gives_back_the_same_references(learned, blobs, tmp_path):
    skad.save(learned, tmp_path / "fanogan.skad")
    loaded = skad.load(tmp_path / "fanogan.skad")
    np.testing.assert_array_equal(loaded.reconstruct(blobs), learned.reconstruct(blobs))


@pytest.mark.gpu
def test_a_fit_on_the_gpu_leaves_the_same_weights_twice(blobs):
    first, second = (tiny(device="cuda").fit(blobs) for _ in range(2))
    assert torch.equal(weights(first), weights(second))
