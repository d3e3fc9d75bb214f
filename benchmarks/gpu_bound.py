"""The share of a GPU's peak that dense patch embeddings could reach, from what their kernels read and write.

    python benchmarks/gpu_bound.py --rates docs/results/gpu.csv --out docs/results/gpu_bound.csv

Counts, on any machine, the operations and the bytes of all kernels that score a pair at 256 x 256 pixels in
bf16, without fusion, each tensor once. At the rates of docs/results/gpu.csv (convolutions of 64 channels;
copies in the device's memory) convolutions take their operations, and all other kernels their bytes.
"""

import argparse
from pathlib import Path

import torch
from gpu_results import read_results
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from skad.nn.patch_embedding import PatchEmbedding, embedding_differences
from skad.utils.tables import write_table

CONVOLUTION = torch.ops.aten.convolution.default


class Traffic(TorchDispatchMode):
    """Bytes that kernels other than convolutions read and write."""

    n_bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not func.is_view and func is not CONVOLUTION:
            tensors = {id(t): t for t in tree_leaves((args, out)) if isinstance(t, torch.Tensor)}
            self.n_bytes += sum(t.numel() * t.element_size() for t in tensors.values())
        return out


@torch.no_grad()
def count(size):
    """Operations of a pair, and bytes of its kernels other than convolutions."""
    network, pair = PatchEmbedding(1).eval(), torch.zeros(1, 2, 1, size, size)
    with torch.autocast("cpu", torch.bfloat16), FlopCounterMode(display=False) as flops, Traffic() as traffic:
        for _, _, each in embedding_differences(network, pair, tile_size=size):
            each.norm(dim=1)
    return flops.get_total_flops(), traffic.n_bytes


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", type=Path, required=True, help="rows of gpu.py")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    machine = [row for row in read_results(arguments.rates) if row["part"] == "machine"]
    rates = {row["measure"]: float(row["value"]) for row in machine if row["unit"] in ("TFLOP/s", "GB/s")}
    flops, n_bytes = count(256)
    computing = flops / rates["convolution, bf16, channels_last"] / 1e12
    moving = n_bytes / rates["copy in the device's memory"] / 1e9
    share = flops / (computing + moving) / rates["matrix product, bf16"] / 1e12
    row = {
        "operations of a pair, GFLOP": f"{flops / 1e9:.0f}",
        "traffic of other kernels, GB": f"{n_bytes / 1e9:.2f}",
        "convolutions, ms": f"{1e3 * computing:.2f}",
        "other kernels, ms": f"{1e3 * moving:.2f}",
        "share of peak at most": f"{share:.2f}",
    }
    write_table([row], arguments.out)
    print(row)


if __name__ == "__main__":
    main()
