"""IntroVAE and latent search at the size of the paper on a GPU: speed, memory, share of the peak.

    python benchmarks/paper_size.py --out docs/results/paper_size.md

256 x 256 pixels, batches of 120, the defaults of `IntroVAEReconstructor`. On a CPU it runs, with
``--device cpu --size 64 --batch 4 --slices 8``, to see that it does.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from torch.utils.flop_counter import FlopCounterMode

from skad.nn.introspection import introspective_losses
from skad.reconstruction import IntroVAEReconstructor, LatentSearchTransformer

PEAK_TFLOPS = {"NVIDIA H200": 989.0, "NVIDIA H100 80GB HBM3": 989.0, "NVIDIA A100-SXM4-80GB": 312.0}
"""Dense bf16 arithmetic by the makers' data sheets."""


def normal_slices(n_slices, size):
    """Smooth noise: cost does not depend on what the slices show."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.normal(size=(n_slices, 1, size // 16, size // 16)))
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)
    return smooth.float().numpy()


def training(X, device, batch):
    """Seconds of an epoch after the first, and the fitted estimator."""
    model = IntroVAEReconstructor(
        max_epochs=1, batch_size=batch, device=device, random_state=0, warm_start=True
    )
    model.fit(X)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    model.fit(X)
    return time.perf_counter() - start, model


def flops_per_image(model, X):
    """Of one step of both players, forward and backward."""
    images = torch.from_numpy(X[:2])
    foreground = torch.ones_like(images[:, :1], dtype=torch.bool)
    module = model.module_.train()
    with FlopCounterMode(display=False) as counter:
        losses = introspective_losses(
            module,
            images,
            foreground,
            alpha=model.alpha,
            beta=model.reconstruction_weight,
            margin=model.margin,
            sample_prior=False,
        )
        losses["encoder_loss"].backward(inputs=list(module.encoder.parameters()), retain_graph=True)
        losses["decoder_loss"].backward(inputs=list(module.decoder.parameters()))
    module.eval()
    return counter.get_total_flops() / len(images)


def search_seconds(model, X, batch_size):
    """Seconds per slice of the latent search."""
    search = LatentSearchTransformer(FrozenEstimator(model), batch_size=batch_size).fit(X)
    search.reconstruct(X[:batch_size])
    start = time.perf_counter()
    search.reconstruct(X)
    return (time.perf_counter() - start) / len(X)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results/paper_size.md"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=120)
    parser.add_argument("--slices", type=int, default=1200)
    arguments = parser.parse_args()
    X = normal_slices(arguments.slices, arguments.size)
    seconds, model = training(X, arguments.device, arguments.batch)
    on_gpu = torch.device(arguments.device).type == "cuda"
    name = torch.cuda.get_device_name() if on_gpu else "CPU"
    rate = len(X) / seconds
    tflops = rate * flops_per_image(model, X) / 1e12
    together, alone = (search_seconds(model, X[:32], batch) for batch in (32, 1))
    text = (
        Path(__file__)
        .with_name("paper_size_template.md")
        .read_text()
        .format(
            size=arguments.size,
            batch=arguments.batch,
            device=name,
            torch=torch.__version__,
            precision="bf16" if on_gpu else "fp32",
            rate=rate,
            gigabytes=f"{torch.cuda.max_memory_allocated() / 2**30:.1f}" if on_gpu else "not measured",
            tflops=tflops,
            share=f"{tflops / PEAK_TFLOPS[name]:.0%}" if name in PEAK_TFLOPS else "peak not known",
            together=together,
            alone=alone,
            speedup=alone / together,
        )
    )
    arguments.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
