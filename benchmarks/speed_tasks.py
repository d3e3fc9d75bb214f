"""What `speed.py` times, one task per process:   python benchmarks/speed_tasks.py TASK

Prints a JSON object: CPU seconds of the task without imports and input, and the memory that it added. Tasks
use the public interface only, so that they run on older versions too; the peers' tasks need the peers.
"""

import importlib.metadata
import json
import sys
import time
from pathlib import Path

import numpy as np


def one_millimeter(seed=0):
    """Four contrasts of 182 x 218 x 182 voxels of 1 mm, int16, and the brain's mask."""
    rng = np.random.default_rng(seed)
    shape = (182, 218, 182)
    grid = np.indices(shape, dtype=np.float32)
    distance = sum(((axis - n / 2) / (0.4 * n)) ** 2 for axis, n in zip(grid, shape, strict=True))
    mask = distance < 1
    tissue = np.sin(grid[0] / 9) + np.cos(grid[1] / 11) + np.sin(grid[2] / 7)
    images = [400 + 100 * tissue * (1 + i) + rng.normal(0, 20, shape) for i in range(4)]
    return [np.where(mask, image, 0).astype(np.int16) for image in images], mask


def prepare_skad():
    from skad.io import Volume
    from skad.preprocessing import VolumePreprocessor

    images, mask = one_millimeter()
    volume = Volume({str(i): image for i, image in enumerate(images)}, np.eye(4), subject="a", mask=mask)
    prepare = VolumePreprocessor(voxel_size=2.0, size=(112, 112)).fit([volume])
    return lambda: prepare.transform([volume])


def prepare_nilearn():
    import nibabel
    from nilearn.image import resample_img

    images = [nibabel.Nifti1Image(image.astype(np.float32), np.eye(4)) for image in one_millimeter()[0]]
    settings = {"interpolation": "continuous", "force_resample": True, "copy_header": True}
    return lambda: [resample_img(image, target_affine=2 * np.eye(3), **settings) for image in images]


def prepare_torchio(interpolation="linear"):
    import torch
    import torchio

    images = [torch.from_numpy(image[None].astype(np.float32)) for image in one_millimeter()[0]]
    subject = torchio.Subject({f"c{i}": torchio.ScalarImage(tensor=image) for i, image in enumerate(images)})
    resample = torchio.Resample(2, image_interpolation=interpolation)
    return lambda: resample(subject)


def prepare_torchio_cubic():
    return prepare_torchio("bspline")


def prepare_monai(mode="bilinear"):
    import torch
    from monai.data import MetaTensor
    from monai.transforms import Spacing

    images = [
        MetaTensor(torch.from_numpy(image[None].astype(np.float32)), affine=torch.eye(4))
        for image in one_millimeter()[0]
    ]
    spacing = Spacing(pixdim=(2, 2, 2), mode=mode, padding_mode="border" if mode != 3 else "nearest")
    return lambda: [spacing(image) for image in images]


def prepare_monai_cubic():
    return prepare_monai(3)


def read_skad():
    """The same scan from compressed files."""
    import tempfile

    import nibabel

    from skad.io import read_volume

    folder = Path(tempfile.mkdtemp())
    for i, image in enumerate(one_millimeter()[0]):
        nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), folder / f"{i}.nii.gz")
    paths = {path.name[0]: path for path in sorted(folder.iterdir())}
    return lambda: [np.asarray(image) for image in read_volume(paths).contrasts.values()]


def write_skad():
    """A map of that scan, compressed."""
    import tempfile

    from skad.io import Volume, write_map

    images, mask = one_millimeter()
    anomaly = np.where(mask, images[0] / 7, np.nan).astype(np.float32)
    volume = Volume({"a": images[0]}, np.eye(4), subject="a")
    return lambda: write_map(anomaly, volume, Path(tempfile.mkdtemp()) / "map.nii.gz")


def _slices(n=32, side=64, n_contrasts=3):
    rng = np.random.default_rng(0)
    smooth = rng.normal(size=(n, n_contrasts, side // 8, side // 8)).repeat(8, 2).repeat(8, 3)
    return (smooth + 0.1 * rng.normal(size=(n, n_contrasts, side, side))).astype(np.float32)


def train_skad():
    from skad.reconstruction import ContrastTranslator

    X = _slices()
    translator = ContrastTranslator(width=8, n_blocks=2, max_epochs=10, random_state=0, device="cpu")
    translator.set_params(max_epochs=1).fit(X[:8])  # what torch imports for its first optimizer
    return lambda: translator.set_params(max_epochs=10).fit(X)


def train_torch():
    """The same network, loss and optimizer in a plain loop."""
    import torch

    from skad.nn.translation import TranslationNetwork

    X = torch.from_numpy(_slices())

    def loop(images, n_epochs):
        torch.manual_seed(0)
        network = TranslationNetwork(3, width=8, n_blocks=2).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        for _ in range(n_epochs):
            for batch in images[torch.randperm(len(images))].split(8):
                medians = batch.flatten(2).median(-1).values
                loss = (network.translate_all(batch, medians) - batch).square().mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()

    loop(X[:8], 1)
    return lambda: loop(X, 10)


def _vae():
    from skad.reconstruction import IntroVAEReconstructor

    settings = {"channels": (8, 16, 32), "latent_channels": 8, "batch_size": 8, "augmentation": None}
    return IntroVAEReconstructor(**settings, random_state=0, device="cpu", max_epochs=1)


def introvae_skad():
    X, model = _slices(n_contrasts=1), _vae()
    model.fit(X[:8])
    return lambda: model.set_params(max_epochs=10).fit(X)


def introvae_torch():
    """Equations (4)-(7) of Kobayashi et al. 2021 in a plain loop: every term with passes of its own."""
    import torch

    X = torch.from_numpy(_slices(n_contrasts=1))
    network = _vae().fit(X[:8].numpy()).module_.train()
    encoder, decoder = network.encoder, network.decoder
    players = [torch.optim.Adam(encoder.parameters(), 1e-4), torch.optim.Adam(decoder.parameters(), 5e-3)]

    def divergence(mean, log_variance):
        return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)

    def draw(mean, log_variance):
        return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)

    def step(batch):
        inside = torch.ones_like(batch, dtype=torch.bool)
        x = network.scale(batch)
        latent = encoder(x)
        decoded = decoder(draw(*latent))
        game = 0.5 * (120 - divergence(*encoder(decoded.detach()))).clamp(min=0)
        error = network.error(latent[0], batch, inside)
        players[0].zero_grad()
        (divergence(*latent) + game + 0.04 * error).mean().backward()
        players[0].step()
        decoded = decoder(draw(*encoder(x)).detach())
        error = network.error(encoder(x)[0].detach(), batch, inside)
        players[1].zero_grad()
        (0.5 * divergence(*encoder(decoded)) + 0.04 * error).mean().backward()
        players[1].step()

    return lambda: [step(batch) for _ in range(10) for batch in X.split(8)]


def _gmvae():
    from skad.reconstruction import GMVAEReconstructor

    settings = {"channels": (8, 16), "batch_size": 8, "lr": 1e-4}
    return GMVAEReconstructor(**settings, random_state=0, device="cpu", max_epochs=1)


def gmvae_skad():
    X, model = _slices(n_contrasts=1), _gmvae()
    model.fit(X[:8])
    return lambda: model.set_params(max_epochs=10).fit(X)


def gmvae_torch():
    """The evidence lower bound of Dilokthanakul et al. 2016 (section 3) in a plain loop."""
    import math

    import torch

    X = torch.from_numpy(_slices(n_contrasts=1))
    model = _gmvae().fit(X[:8].numpy())
    network = model.module_.train()
    optimizer = torch.optim.Adam(network.parameters(), model.lr)
    sizes = [model.latent_channels, model.w_channels]

    def draw(mean, log_variance):
        return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)

    def step(batch):
        x = network.scale(batch)
        (z_mean, w_mean), (z_log, w_log) = (each.split(sizes, dim=1) for each in network.encoder(x))
        z, w = draw(z_mean, z_log), draw(w_mean, w_log)
        means, logs = network.prior(w)
        q = (-0.5 * ((z[:, None] - means) ** 2 / logs.exp() + logs).sum(2)).softmax(1)
        variance = z_log.exp()[:, None] + (z_mean[:, None] - means) ** 2
        z_term = (q * 0.5 * (logs - z_log[:, None] + variance / logs.exp() - 1).sum(2)).sum((1, 2, 3))
        w_term = 0.5 * (w_mean**2 + w_log.exp() - 1 - w_log).sum((1, 2, 3))
        c_term = (math.log(q.shape[1]) + (q * q.log()).sum(1)).clamp(min=model.free_bits).sum((1, 2))
        surprise = 0.5 * ((x - network.decoder(z)) / model.noise) ** 2 + math.log(model.noise)
        loss = (surprise.sum((1, 2, 3)) + z_term + w_term + c_term).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return lambda: [step(batch) for _ in range(10) for batch in X[torch.randperm(len(X))].split(8)]


def search_skad():
    from sklearn.frozen import FrozenEstimator

    from skad.reconstruction import LatentSearchTransformer

    X = _slices(8, n_contrasts=1)
    search = LatentSearchTransformer(FrozenEstimator(_vae().fit(X)), n_steps=50).fit(X)
    return lambda: search.encode(X)


def search_torch():
    """Adam on the latents of one image after the other (Kobayashi et al. 2021, II-B.3)."""
    import torch

    X = _slices(8, n_contrasts=1)
    network = _vae().fit(X).module_.eval()

    def search(image):
        with torch.no_grad():
            latent = network.encode(image)
        latent = latent.clone().requires_grad_()
        optimizer = torch.optim.Adam([latent], lr=1e-3)
        inside = torch.ones_like(image, dtype=torch.bool)
        for _ in range(50):
            optimizer.zero_grad()
            network.error(latent, image, inside).sum().backward()
            optimizer.step()
        return latent.detach()

    return lambda: [search(image[None]) for image in torch.from_numpy(X)]


def scoring():
    """A fitted detector and a volume of 121 x 145 x 20 voxels."""
    from sklearn.pipeline import make_pipeline

    from skad import VolumeAnomalyDetector
    from skad.datasets import make_phantom
    from skad.preprocessing import VolumePreprocessor
    from skad.reconstruction import ContrastTranslator
    from skad.scoring import JointDRGMM

    volumes = make_phantom(2, shape=(121, 145, 20), lesion=None, random_state=0)
    common = {"max_epochs": 1, "random_state": 0, "device": "cpu"}
    pipeline = make_pipeline(ContrastTranslator(width=8, n_blocks=1, **common), JointDRGMM(width=8, **common))
    prepare = VolumePreprocessor(size=(128, 128))
    return VolumeAnomalyDetector(pipeline, preprocessor=prepare).fit(volumes[:1]), volumes[1]


def first_training():
    """A tiny training, the first one of its process: what torch imports for it."""
    from skad.reconstruction import ContrastTranslator

    X = _slices(4, 16)
    translator = ContrastTranslator(width=2, n_blocks=1, max_epochs=1, random_state=0, device="cpu")
    return lambda: translator.fit(X)


def _epoch(estimator, X):
    """A function that trains an epoch, after what the first training of a process imports."""
    estimator.set_params(max_epochs=1, random_state=0, device="cpu").fit(X[:8])
    return lambda: estimator.fit(X)


def epoch_translator():
    from skad.reconstruction import ContrastTranslator

    return _epoch(ContrastTranslator(), _slices(32, 128))


def epoch_planted():
    from skad.scoring import SyntheticAnomalyScorer

    return _epoch(SyntheticAnomalyScorer(inputs=("image",)), _slices(64, 128))


def _convolutions(epoch):
    """A 3 x 3 convolution of 64 channels, as often as it takes as many operations as an epoch."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        epoch()
    image = torch.randn(4, 64, 128, 128).to(memory_format=torch.channels_last)
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
    n = round(counter.get_total_flops() / (2 * image.numel() * 64 * 9))

    def convolve():
        with torch.no_grad():
            for _ in range(n):
                layer(image)

    convolve()
    return convolve


def convolutions_translator():
    return _convolutions(epoch_translator())


def convolutions_planted():
    return _convolutions(epoch_planted())


def threshold_skad():
    """The end of a training of planted lesions: the threshold of 256 slices."""
    from skad.scoring import SyntheticAnomalyScorer, synthetic_anomaly

    X = _slices(256, 128)
    scorer = SyntheticAnomalyScorer(max_epochs=1, random_state=0, device="cpu").fit(X[:16])
    n_slices = getattr(synthetic_anomaly, "_OFFSET_SLICES", None)  # earlier versions take what they like
    return lambda: scorer._fit_offset(X) if n_slices is None else scorer._fit_offset(X, n_slices)


def convolutions_threshold():
    return _convolutions(threshold_skad())


def buffers_kept():
    """Maps of 64 slices in a process that keeps freed memory, as the commands do."""
    from skad.utils.allocator import keep_freed_memory

    keep_freed_memory()
    return buffers_returned()


def buffers_returned():
    """The same where glibc gives large buffers back to the system."""
    from skad.reconstruction import ContrastTranslator

    X = _slices(64, 128)
    translator = ContrastTranslator(max_epochs=1, random_state=0, device="cpu").fit(X[:8])
    return lambda: translator.transform(X)


def _pixels(n=4_000_000):
    rng = np.random.default_rng(0)
    y = rng.random((40, 1, n // 40)) < 0.03
    return y.astype(np.int64), (rng.normal(size=y.shape) + y).astype(np.float32)


def auc_skad():
    from skad.metrics import ScoreHistogram

    y, anomaly = _pixels()
    return lambda: ScoreHistogram().update(y, anomaly).roc_auc()


def auc_sklearn():
    from sklearn.metrics import roc_auc_score

    y, anomaly = _pixels()
    return lambda: roc_auc_score(y.ravel(), anomaly.ravel())


PEERS = ("scikit-learn", "torch", "nilearn", "torchio", "monai", "scipy", "numpy")


def versions():
    """Name to version of what is installed."""
    found = {}
    for name in PEERS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def main(task):
    if task == "versions":
        print(json.dumps(versions()))
        return
    call = globals()[task]()
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of what made the input
    begin = time.process_time()
    result = call()
    cpu = time.process_time() - begin
    print(json.dumps({"cpu_s": cpu, "added_mb": _resident("VmHWM") - before}))
    del result


def _resident(field):
    """MB of this process, now (VmRSS) or at most (VmHWM); Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


if __name__ == "__main__":
    main(sys.argv[1])
