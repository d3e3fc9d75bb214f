"""What is measured on a GPU, part by part: each is a generator of rows (measure, value, unit, note)."""

import importlib.util
import platform
import subprocess
import sys
import time

import numpy as np
import torch
from gpu_clock import flops_of, left, memory, run_epochs, seconds_per_call, synchronize
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skad import VolumeAnomalyDetector
from skad.metrics import foreground_average_precision_score, foreground_roc_auc_score
from skad.nn.divergence import kl_to_standard_normal
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator, IntroVAEReconstructor, LatentSearchTransformer
from skad.scoring import JointDRGMM, PatchEmbeddingScorer, SyntheticAnomalyScorer

CONTEXT = ("n_neighbors", "n_neighbors", "n_adjacent", "context")  # parameters that mean 2.5-D


def machine(inputs, device, deadline):
    """Peaks that the other parts are compared with."""
    yield "python, torch", f"{platform.python_version()}, {torch.__version__}"
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        yield (
            "GPU",
            properties.name,
            "",
            f"{properties.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}",
        )
    n = inputs.scale.gemm
    for name, dtype, tf32 in (("bf16", torch.bfloat16, False), ("tf32", None, True), ("fp32", None, False)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a = torch.randn(n, n, device=device, dtype=dtype)
        seconds = seconds_per_call(lambda a=a: a @ a, device, at_most=0.5)
        yield f"matrix product, {name}", 2 * n**3 / seconds / 1e12, "TFLOP/s", f"{n} x {n}"
    for layout in (torch.contiguous_format, torch.channels_last):
        images = torch.randn(32, 64, n // 64, n // 64, device=device, dtype=torch.bfloat16)
        images, weights = images.to(memory_format=layout), torch.randn(64, 64, 3, 3).to(images)
        seconds = seconds_per_call(
            lambda i=images, w=weights: torch.nn.functional.conv2d(i, w, padding=1), device, at_most=0.5
        )
        rate = 2 * 9 * 64 * images.numel() / seconds / 1e12
        yield f"convolution, bf16, {str(layout)[6:]}", rate, "TFLOP/s", "3 x 3, 64 to 64 channels"
    block = torch.empty(n * n, device=device)
    seconds = seconds_per_call(block.clone, device, at_most=0.3)
    yield "copy in the device's memory", 8 * n * n / seconds / 1e9, "GB/s", "read and written"


def equality(inputs, device, deadline):
    """The same fitted network scores on the CPU and on the GPU."""
    scale, n_fit = inputs.scale, 16
    common = {"device": device, "max_epochs": 1, "random_state": 0}
    X, test = inputs.normal[:n_fit], inputs.patients[: max(4, scale.n_slices // 2)]
    y = inputs.labels[: len(test)]
    systems = {
        "ADM": make_pipeline(
            ContrastTranslator(**common, **scale.translator), JointDRGMM(**common, **scale.mixture)
        ),
        "planted lesions": SyntheticAnomalyScorer(**common, **scale.planted),
        "IntroVAE + patches": make_pipeline(
            IntroVAEReconstructor(**common, batch_size=4, **scale.introvae),
            PatchEmbeddingScorer(**common, stride=4, **scale.patches),
        ),
    }
    for name, system in systems.items():
        system.fit(X)
        cpu = _maps(system, test, "cpu", "fp32")
        for precision, tf32 in (("fp32", False), ("fp32", True), ("bf16", True)):
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
            maps = _maps(system, test, device, precision)
            title = f"{name}, {'tf32' if tf32 and precision == 'fp32' else precision}"
            yield f"{title}: largest difference", *_difference(maps, cpu)
            if (y > 0).any():
                auc = foreground_roc_auc_score(y, maps) - foreground_roc_auc_score(y, cpu)
                yield f"{title}: ROC-AUC minus the CPU's", auc


def _maps(system, X, device, precision):
    """Anomaly maps with every step of a system on a device."""
    for name in system.get_params():
        if name.rpartition("__")[2] in ("device", "precision"):
            system.set_params(**{name: device if name.endswith("device") else precision})
    return -system.score_samples(X)


def _difference(maps, expected):
    inside = ~np.isnan(expected)
    difference = np.abs(maps[inside] - expected[inside])
    spread = expected[inside].std()
    return float(difference.max() / spread), "SD of the map", f"median {np.median(difference) / spread:.2g}"


def kobayashi(inputs, device, deadline):
    """IntroVAE as K trains it: 256 x 256, batches of 120."""
    scale = inputs.scale
    X = np.resize(inputs.head, (scale.k_images, *inputs.head.shape[1:]))
    common = {"device": device, "random_state": 0, **scale.introvae}
    flops = flops_of(lambda: IntroVAEReconstructor(**common, max_epochs=1, batch_size=2).fit(X[:2])) / 2
    yield "work of a training step", flops / 1e9, "GFLOP per image", "forward and backward"
    peak = _peak(inputs, device)
    for precision, benchmark in (("bf16", False), ("bf16", True), ("fp32", False)):
        torch.backends.cudnn.benchmark = benchmark
        model = IntroVAEReconstructor(**common, precision=precision, batch_size=scale.k_batch)
        model, seconds, n_epochs = run_epochs(model, X, device, most=200, until=0.5 * left(deadline))
        rate, title = len(X) / seconds, f"training, {precision}{', cudnn.benchmark' * benchmark}"
        yield title, rate, "images/s", f"batch {scale.k_batch}, {n_epochs} epochs"
        yield f"{title}: share of peak", rate * flops / peak, "of the bf16 matrix product"
        yield f"{title}: memory", memory(device), "GiB"
        if precision == "bf16" and not benchmark:
            share, kl = _inside_margin(model, X[: scale.k_batch], device)
            yield "images inside the margin", share, "share", f"after {n_epochs} epochs, median {kl:.0f} nats"


@torch.no_grad()
def _inside_margin(model, X, device):
    """Share of the reconstructions whose divergence is below the margin, where the encoder still pushes."""
    generated = np.where(np.isnan(X), model.background_[:, None, None], model.reconstruct(X))
    network = model.module_.to(device)
    kl = [
        kl_to_standard_normal(*network.encoder(network.scale(torch.as_tensor(each, device=device).float())))
        for each in np.array_split(generated, -(-len(X) // 8))
    ]
    kl = torch.cat(kl).cpu().numpy()
    network.cpu()
    return float((kl < model.margin).mean()), np.median(kl)


def patches(inputs, device, deadline):
    """Every pixel's patch embedded in the image and in its reference."""
    scale = inputs.scale
    X = inputs.head[np.arange(scale.patch_slices) % len(inputs.head)]
    pairs = np.stack([X, 0.9 * X], axis=1)
    scorer = PatchEmbeddingScorer(device=device, max_epochs=1, random_state=0, stride=8, **scale.patches)
    scorer.fit(pairs[:8]).set_params(stride=1)
    flops = flops_of(lambda: scorer.score_samples(pairs[:1]))
    yield "work of a pair", flops / 1e9, "GFLOP"
    for precision, tile_size in (("bf16", 128), ("bf16", 256), ("fp32", 128)):
        scorer.set_params(precision=precision, tile_size=tile_size)
        seconds = seconds_per_call(
            lambda: scorer.score_samples(pairs), device, at_most=left(deadline) / 4, warm_up=1
        )
        rate = len(pairs) / seconds
        share = rate * flops / _peak(inputs, device)
        yield (
            f"{precision}, tiles of {tile_size}",
            rate,
            "pairs/s",
            f"{scale.large} x {scale.large}, every pixel",
        )
        yield f"{precision}, tiles of {tile_size}: share of peak", share, "of the bf16 matrix product"
    yield "memory", memory(device), "GiB"


def search(inputs, device, deadline):
    """Latents of many images searched together, against one image after the other."""
    scale = inputs.scale
    X = inputs.head[np.arange(scale.searched) % len(inputs.head)]
    model = IntroVAEReconstructor(device=device, max_epochs=1, batch_size=8, random_state=0, **scale.introvae)
    model.fit(X[:16])
    seconds = {}
    for precision in ("fp32", "bf16"):
        model.set_params(precision=precision)
        for batch_size, n in ((1, scale.one_by_one), (scale.searched, scale.searched)):
            transformer = LatentSearchTransformer(
                FrozenEstimator(model), n_steps=scale.search_steps, batch_size=batch_size
            ).fit(X[:2])
            call = seconds_per_call(lambda t=transformer, n=n: t.encode(X[:n]), device, at_most=0, warm_up=1)
            seconds[batch_size] = call / n
            rate = n / call
            yield f"{precision}, {batch_size} together", rate, "images/s", f"{scale.search_steps} steps"
        yield (
            f"{precision}: together against one by one",
            seconds[1] / seconds[scale.searched],
            "times as fast",
        )


def adm(inputs, device, deadline):
    """ADM at its published width, fifty epochs, and how well it ranks."""
    scale, common = inputs.scale, {"device": device, "random_state": 0}
    translator = ContrastTranslator(**common, **scale.translator)
    translator, seconds, n_epochs = run_epochs(
        translator, inputs.normal, device, most=scale.epochs, until=0.45 * left(deadline)
    )
    yield "translator", len(inputs.normal) / seconds, "slices/s", f"{n_epochs} epochs of {len(inputs.normal)}"
    pairs = translator.transform(inputs.normal)
    mixture = JointDRGMM(**common, **scale.mixture)
    mixture, seconds, n_epochs = run_epochs(
        mixture, pairs, device, most=scale.epochs, until=0.7 * left(deadline)
    )
    yield "density", len(pairs) / seconds, "slices/s", f"{n_epochs} epochs"
    begin = time.monotonic()
    maps = -mixture.score_samples(translator.transform(inputs.patients))
    yield "scoring", len(maps) / (time.monotonic() - begin), "slices/s"
    yield from _ranking(inputs.labels, maps)


def champion(inputs, device, deadline):
    """A U-Net trained on planted lesions, on single slices and with their neighbors."""
    scale = inputs.scale
    scorer = SyntheticAnomalyScorer(device=device, random_state=0, **scale.planted)
    context = [name for name in CONTEXT if name in scorer.get_params()]
    for title, settings in (("", {}), *(("2.5-D, ", {name: 1}) for name in context)):
        scorer.set_params(**settings)
        share = 0.4 if context and not settings else 0.85
        fitted, seconds, n_epochs = run_epochs(
            scorer, inputs.normal, device, most=scale.epochs * 4 // 5 or 1, until=share * left(deadline)
        )
        yield f"{title}training", len(inputs.normal) / seconds, "slices/s", f"{n_epochs} epochs"
        begin = time.monotonic()
        maps = -fitted.score_samples(inputs.patients)
        yield f"{title}scoring", len(maps) / (time.monotonic() - begin), "slices/s"
        yield from ((f"{title}{name}", value) for name, value in _ranking(inputs.labels, maps))
    if not context:
        yield "2.5-D", "not there", "", "the scorer has no parameter for neighboring slices"


def _ranking(y, maps):
    if (y > 0).any():
        yield "ROC-AUC on other subjects", foreground_roc_auc_score(y, maps)
        yield "average precision on other subjects", foreground_average_precision_score(y, maps)


def volume(inputs, device, deadline):
    """One scan at 1 mm, from arrays to a map in its own space."""
    scale, common = inputs.scale, {"device": device, "max_epochs": 1, "random_state": 0}
    pipelines = {
        "ADM": make_pipeline(
            ContrastTranslator(**common, **scale.translator), JointDRGMM(**common, **scale.mixture)
        ),
        "planted lesions": SyntheticAnomalyScorer(**common, **scale.planted),
    }
    for name, pipeline in pipelines.items():
        prepare = VolumePreprocessor(size=(scale.small, scale.small))
        detector = VolumeAnomalyDetector(pipeline, preprocessor=prepare).fit(inputs.normal_volumes[:2])
        stack = detector.preprocessor_.transform([inputs.volume])
        networks = seconds_per_call(
            lambda d=detector, s=stack: d.pipeline_.score_samples(s.X), device, at_most=0, warm_up=1
        )
        whole = seconds_per_call(lambda d=detector: d.score_volume(inputs.volume), device, at_most=0)
        yield f"{name}: a volume", whole, "s", f"{inputs.volume.shape}, {len(stack)} slices"
        yield f"{name}: of which networks", networks, "s"


def compiled(inputs, device, deadline):
    """A training step with and without ``torch.compile``."""
    scale = inputs.scale
    fitted = ContrastTranslator(device=device, max_epochs=1, random_state=0, **scale.translator)
    network = fitted.fit(inputs.normal[:8]).module_.to(device).train()
    images = torch.randn(8, inputs.normal.shape[1], scale.small, scale.small, device=device)
    median = images.flatten(2).median(-1).values

    def step(function):
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
            loss = (function(images, median).float() - images).square().mean()
        loss.backward()
        network.zero_grad()

    plain = seconds_per_call(lambda: step(network.translate_all), device, at_most=1)
    yield "translator, eager", 8 / plain, "slices/s"
    network.to(memory_format=torch.channels_last)
    images = images.to(memory_format=torch.channels_last)
    last = seconds_per_call(lambda: step(network.translate_all), device, at_most=1)
    yield "translator, eager, channels_last", 8 / last, "slices/s"
    begin = time.monotonic()
    function = torch.compile(network.translate_all, backend=scale.backend)
    step(function)
    synchronize(device)
    yield "translator, compilation", time.monotonic() - begin, "s"
    fast = seconds_per_call(lambda: step(function), device, at_most=1)
    yield "translator, compiled, channels_last", 8 / fast, "slices/s", scale.backend
    yield "compiled against eager, both channels_last", last / fast, "times as fast"


def tests(inputs, device, deadline):
    """The tests that are marked ``gpu``."""
    if importlib.util.find_spec("pytest") is None or not device.startswith("cuda"):
        yield "pytest -m gpu", "not run", "", "needs pytest and a CUDA device"
        return
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests", "-p", "no:cacheprovider"]
    command += ["-W", "ignore:.torch.jit.script:DeprecationWarning"]  # torch 2.11's own, on Python 3.12
    ran = subprocess.run(command, capture_output=True, text=True)
    yield "pytest -m gpu", f"exit code {ran.returncode}", "", (ran.stdout.strip().splitlines() or [""])[-1]


def _peak(inputs, device):
    """FLOP/s of a large bf16 matrix product, here and now."""
    a = torch.randn(inputs.scale.gemm, inputs.scale.gemm, device=device, dtype=torch.bfloat16)
    return 2 * len(a) ** 3 / seconds_per_call(lambda: a @ a, device, at_most=0.3)


PARTS = {
    "machine": (machine, 1),
    "equality": (equality, 4),
    "kobayashi": (kobayashi, 5),
    "patches": (patches, 4),
    "search": (search, 4),
    "adm": (adm, 7),
    "champion": (champion, 6),
    "volume": (volume, 4),
    "compile": (compiled, 4),
    "tests": (tests, 4),
}
"""Most important first: function and share of the time."""
