"""Dense embeddings of all patches against patch by patch: how fast, how exact, how much memory.

    python benchmarks/patch_embedding.py --out docs/results/patch_embedding.md

Same weights, same images, same process, same number of threads, in turns; the shortest turn counts. Patch by
patch is timed on a part of the patches, in batches, and extrapolated to all of them.
"""

import argparse
import multiprocessing
import os
import resource
import time
from pathlib import Path

import torch

from skad.nn.patch_embedding import PatchEmbedding, embedding_differences, pad_for_patches

BATCH = 100


def shortest(functions, n_repeats):
    """Shortest wall time in seconds of each function; they take turns."""
    times = [[] for _ in functions]
    for _ in range(n_repeats):
        for function, measured in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            measured.append(time.perf_counter() - start)
    return [min(measured) for measured in times]


def network_and_pair(pooling, size):
    torch.manual_seed(0)
    return PatchEmbedding(1, pooling=pooling).eval(), torch.randn(1, 2, 1, size, size)


def random_patches(pair, n_patches, patch_size):
    """Patches of the image at random pixels, and where they are."""
    padded = pad_for_patches(pair[:, 0], patch_size)[0]
    pixels = torch.randint(pair.shape[-1], (n_patches, 2))
    cut = [padded[:, row : row + patch_size, column : column + patch_size] for row, column in pixels.tolist()]
    return pixels, torch.stack(cut)


@torch.no_grad()
def measure(pooling, size, n_patches, n_repeats):
    """Seconds of both ways for a pair, and their largest difference."""
    network, pair = network_and_pair(pooling, size)
    pixels, patches = random_patches(pair, n_patches, network.patch_size)
    dense, each = shortest(
        [
            lambda: list(differences_only(network, pair)),
            lambda: [network(batch) for batch in patches.split(BATCH)],
        ],
        n_repeats,
    )
    everywhere = network.dense(pad_for_patches(pair[:, 0], network.patch_size))[0]
    expected = torch.cat([network(batch) for batch in patches.split(BATCH)])
    difference = (everywhere[:, pixels[:, 0], pixels[:, 1]].T - expected).abs().max() / expected.abs().max()
    return dense, each * 2 * size**2 / n_patches, float(difference)


def differences_only(network, pair):
    """The norms that a map is made of, tile by tile."""
    return (each.norm(dim=1) for _, _, each in embedding_differences(network, pair))


@torch.no_grad()
def peak_gigabytes(pooling, size, threads):
    """Of a process that scores one pair."""
    torch.set_num_threads(threads)
    list(differences_only(*network_and_pair(pooling, size)))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results/patch_embedding.md"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--n-patches", type=int, default=2000)
    parser.add_argument("--n-repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    for pooling in ("average", "flatten"):
        dense, each, difference = measure(pooling, arguments.size, arguments.n_patches, arguments.n_repeats)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            gigabytes = pool.apply(peak_gigabytes, (pooling, arguments.size, arguments.threads))
        cells = (
            f"{dense:.1f}",
            f"{each:.0f}",
            f"{each / dense:.0f}",
            f"{difference:.0e}",
            f"{gigabytes:.1f}",
        )
        rows.append(f"| {pooling} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    text = Path(__file__).with_name("patch_embedding_template.md").read_text()
    text = text.format(
        size=arguments.size,
        threads=arguments.threads,
        cores=os.cpu_count(),
        n_repeats=arguments.n_repeats,
        torch=torch.__version__,
        n_patches=arguments.n_patches,
        batch=BATCH,
        total=2 * arguments.size**2,
        rows="\n".join(rows),
    )
    arguments.out.write_text(text)


if __name__ == "__main__":
    main()
