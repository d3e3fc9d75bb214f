"""Mutated files, thousands of them: every one is read, or refused in a sentence, in bounded time and memory.

    python benchmarks/robustness.py                    # the full run; writes docs/results/robustness.md
    python benchmarks/robustness.py --only skad --share 0.1

A target of :data:`TARGETS` says how to make good files, how to mutate one and how to read it. A mutant
escapes when it raises anything but the target's own errors, takes more than 2 s or 500 MB beyond its size,
starts a program, opens a connection, unpickles or writes a file, or ends the process.
"""

import argparse
import contextlib
import copy
import json
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from scan_files import Unusable, mutate_scan, mutate_table, read_scan, read_table, scans, tables
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

from skad import VolumeAnomalyDetector, load, save
from skad.benchmark import read_study
from skad.calibration import ConformalCalibrator
from skad.datasets import make_phantom
from skad.io import VolumeReadError
from skad.persistence import LoadError
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator, VAEReconstructor
from skad.scoring import JointDRGMM, SyntheticAnomalyScorer

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results" / "robustness.md"
SECONDS, MEGABYTES = 2.0, 500.0
BATCH = 50  # mutants of a process, so that one that ends it costs no more


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Parameters
    ----------
    title : str
    count : int
        Mutants of the full run.
    samples : callable
        Gives a list of good files as bytes.
    mutate : callable
        ``(generator, bytes) -> bytes``.
    read : callable
        Of a path; raises `refused` only.
    refused : tuple of exception types
    suffix : str
    """

    title: str
    count: int
    samples: Callable
    mutate: Callable
    read: Callable
    refused: tuple
    suffix: str


@dataclass
class Counts:
    """What became of some mutants."""

    tried: int = 0
    accepted: int = 0
    refused: int = 0
    escaped: list = field(default_factory=list)
    slowest: float = 0.0
    largest: float = 0.0

    def add(self, other):
        """Count the mutants of another batch too."""
        self.tried += other.tried
        self.accepted += other.accepted
        self.refused += other.refused
        self.escaped += other.escaped
        self.slowest, self.largest = max(self.slowest, other.slowest), max(self.largest, other.largest)


# What a mutant may not do


class Watch:
    """Notes what Python's audit events tell of code that runs, while it is on."""

    events = (
        "os.system",
        "subprocess.Popen",
        "os.exec",
        "os.posix_spawn",
        "pickle.find_class",
        "socket.connect",
    )

    def __init__(self):
        self.on, self.seen = False, []
        sys.addaudithook(self._audit)

    def _audit(self, event, arguments):
        if self.on and (event in self.events or (event == "open" and _writes(arguments))):
            self.seen.append(f"{event} {arguments}"[:200])

    @contextlib.contextmanager
    def watching(self):
        """The list of what happens in the block."""
        self.on, self.seen = True, []
        try:
            yield self.seen
        finally:
            self.on = False


def _writes(arguments):
    path, mode, flags = (*arguments, None, None, None)[:3]
    if "__pycache__" in str(path) or str(path).startswith("/proc/"):
        return False
    return bool(mode and set("wax+") & set(mode)) or bool(
        isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
    )


def _memory(name):
    """VmRSS or VmHWM of this process, MB; 0 where there is no /proc."""
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(name))
    return 0.0


def _forget_peak():
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


# Reading mutants


def mutants(target, seeds, samples):
    """Yield seed and content of every mutant."""
    for seed in seeds:
        generator = np.random.default_rng(seed)
        yield seed, target.mutate(generator, samples[generator.integers(len(samples))])


def read_mutants(target, seeds, samples, folder, watch):
    """Counts of some mutants, read in this process."""
    counts = Counts()
    for seed, content in mutants(target, seeds, samples):
        path = Path(folder) / f"mutant{target.suffix}"
        path.write_bytes(content)
        read_one(target, path, seed, counts, watch)
    return counts


def read_one(target, path, seed, counts, watch):
    """Read a file and count what became of it."""
    _forget_peak()
    before, start = _memory("VmRSS"), time.process_time()
    problem = None
    with warnings.catch_warnings(), watch.watching() as seen:
        warnings.simplefilter("ignore")
        try:
            target.read(path)
            counts.accepted += 1
        except target.refused:
            counts.refused += 1
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - start
    megabytes = max(_memory("VmHWM") - before - path.stat().st_size / 2**20, 0)
    if seconds > SECONDS or megabytes > MEGABYTES:
        problem = f"{seconds:.1f} s, {megabytes:.0f} MB"
    if seen:
        problem = f"ran {seen[0]}"
    counts.tried += 1
    counts.slowest, counts.largest = max(counts.slowest, seconds), max(counts.largest, megabytes)
    if problem:
        counts.escaped.append(f"seed {seed}: {problem}"[:300])


def _work(name, seeds, samples, folder, queue):
    queue.put(read_mutants(TARGETS[name], seeds, samples, folder, Watch()))


def full_run(name, share=1.0):
    """Counts of all mutants of a target, in processes: one that dies is an escape of its batch."""
    target, total = TARGETS[name], Counts()
    samples = target.samples()
    context = multiprocessing.get_context("fork")
    seeds = range(round(target.count * share))
    for first in range(0, len(seeds), BATCH):
        batch, queue = seeds[first : first + BATCH], context.SimpleQueue()
        with tempfile.TemporaryDirectory() as folder:
            worker = context.Process(target=_work, args=(name, batch, samples, folder, queue))
            worker.start()
            worker.join()
        if worker.exitcode == 0:
            total.add(queue.get())
        else:
            dead = f"seeds {batch[0]} to {batch[-1]}: the process ended with {worker.exitcode}"
            total.add(Counts(tried=len(batch), escaped=[dead]))
    return total


# Mutations


def flip_bytes(generator, content):
    """Change, cut, repeat or insert bytes at random."""
    content = bytearray(content)
    for _ in range(generator.integers(1, 6)):
        place = int(generator.integers(len(content))) if content else 0
        length = int(generator.integers(1, 64))
        match generator.integers(5):
            case 0:
                content[place : place + 1] = generator.bytes(1)
            case 1:
                content[place : place + length] = b""
            case 2:
                content[place:place] = generator.bytes(length)
            case 3:
                content[place:place] = content[max(place - length, 0) : place]
            case 4:
                del content[max(place, 16) :]
    return bytes(content)


CLASSES = (
    "os.system",
    "builtins.eval",
    "subprocess.Popen",
    "skad.utils.pickling._PackedModule",
    "skad.cli.main",
    "skad.training.training.NeuralNet",
    "skad.preparation.BrainExtract",
    "sklearn.base.BaseEstimator",
    "sklearn.pipeline.Pipeline",
    "numpy.memmap",
    "gzip.GzipFile",
    "torch.nn.Linear",
    "skad.nn.vae.VAE",
    "skad.nn.unet.UNet",
    "skad.scoring.JointDRGMM",
    "skad.VolumeAnomalyDetector",
)
NUMBERS = (-1, 0, 2, 625, 2**14, 10**8, 2**31, 2**63, 10**30, -(10**9), 1e308, float("inf"), float("nan"))
STRINGS = (
    "",
    "x" * 5000,
    "__class__",
    "<U99999999",
    "O",
    "V8",
    "m8[ns]",
    "i4,i4",
    "../../x",
    "\u0000",
    "cuda:7",
)

NESTED = "<nested>"  # stands for lists in lists, more than Python can write itself


def hostile_value(generator):
    """A value that should not be there."""
    values = [*NUMBERS, *STRINGS, *CLASSES, None, True, [], {}, NESTED, [0] * 100_000]
    return values[generator.integers(len(values))]


def mutate_tree(generator, tree):
    """Replace, remove or move values at random places of a tree of dicts and lists, in place."""
    for _ in range(generator.integers(1, 4)):
        places = list(_places(tree))
        if not places:
            return
        parent, key = places[generator.integers(len(places))]
        match generator.integers(4):
            case 0 | 1:
                parent[key] = hostile_value(generator)
            case 2:
                other, name = places[generator.integers(len(places))]
                parent[key] = copy.deepcopy(other[name])
            case 3:
                del parent[key]


def _places(tree):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items):
        yield tree, key
        yield from _places(value)


# Model files


def model_files():
    """Saved estimators of different kinds."""
    volumes = make_phantom(n_subjects=4, shape=(20, 24, 8), lesion=None, random_state=0)
    fast = {"max_epochs": 1, "random_state": 0}
    adm = make_pipeline(
        ContrastTranslator(width=2, n_blocks=1, **fast), JointDRGMM(n_components=2, width=2, **fast)
    )
    prepare = VolumePreprocessor(size=(24, 24), intensity="whitematter")
    detector = VolumeAnomalyDetector(adm, preprocessor=prepare).fit(volumes[:2])
    X = detector.preprocessor_.transform(volumes[:1]).X
    table = np.random.default_rng(0).normal(size=(30, 3))
    mixture = make_pipeline(PCA(2), GaussianMixture(2, random_state=np.random.RandomState(0))).fit(table)
    estimators = [
        detector,
        ConformalCalibrator(detector, fpr=0.5).fit(volumes[2:]),
        VAEReconstructor(channels=(2, 4), latent_channels=2, **fast).fit(X),
        SyntheticAnomalyScorer(width=2, depth=2, **fast).fit(X),
        mixture,
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skad"
        return [(save(estimator, path), path.read_bytes())[1] for estimator in estimators]


def mutate_model(generator, content):
    """Bytes at random, or a header that is whole and lies; now and then tensors of other shape and type."""
    if generator.random() < 0.25:
        return flip_bytes(generator, content)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["skad"])
    tensors = safetensors.torch.load(content)
    mutate_tree(generator, header)
    if generator.random() < 0.3:
        name = sorted(tensors)[generator.integers(len(tensors))]
        shapes = [(0,), (1,), (0, 2**40), (3, 1, 2), (70_000,)]
        shape = shapes[generator.integers(len(shapes))]
        kinds = [torch.float64, torch.int64, torch.bool, torch.bfloat16, torch.uint8, torch.float32]
        tensors[name] = torch.ones(shape, dtype=kinds[generator.integers(len(kinds))])
    depth = int(generator.integers(1, 5000))
    text = json.dumps(header).replace(f'"{NESTED}"', "[" * depth + "]" * depth)
    return safetensors.torch.save(tensors, metadata={"skad": text})


def read_model(path):
    """Load, and copy as processes do."""
    copy.deepcopy(load(path))


# Studies

TOML_VALUES = (
    "-1",
    "1e999",
    "nan",
    "99999999999999999999",
    '"' + "x" * 3000 + '"',
    "[" * 500 + "]" * 500,
    "{ class = 'gzip.GzipFile', filename = '/tmp/skad-robustness', mode = 'wb' }",
    "{ class = 'sklearn.utils.fixes.memmap', filename = '/tmp/skad-robustness', mode = 'w+' }",
    "{ class = 'sklearn.datasets._base.GzipFile', filename = '/tmp/skad-robustness', mode = 'wb' }",
    "{ class = 'skorch.callbacks.Checkpoint', dirname = '/tmp/skad-robustness' }",
    "{ class = 'sklearn.pipeline.Pipeline', steps = [], memory = '/tmp/skad-robustness' }",
    "{ class = 'sklearn.mixture.GaussianMixture', n_components = -3 }",
    "{ class = 3 }",
    "{ reference = [1] }",
    "1979-05-27",
    "[]",
    "{}",
    "true",
)


def studies():
    """The studies of the benchmarks."""
    return [path.read_bytes() for path in sorted((HERE / "studies").glob("*.toml"))]


def mutate_study(generator, content):
    """Lines removed, repeated and exchanged; values and keys replaced; bytes at random."""
    if generator.random() < 0.15:
        return flip_bytes(generator, content)
    lines = content.decode().splitlines()
    for _ in range(generator.integers(1, 4)):
        place, other = generator.integers(len(lines), size=2)
        key, equals, value = lines[place].partition("=")
        match generator.integers(5):
            case 0:
                lines[place] = ""
            case 1:
                lines.insert(place, lines[other])
            case 2 if equals:
                lines[place] = f"{key}= {TOML_VALUES[generator.integers(len(TOML_VALUES))]}"
            case 3 if "class = " in value:
                name = CLASSES[generator.integers(len(CLASSES))]
                lines[place] = lines[place].replace('class = "', f'class = "{name}", x = "', 1)
            case 4 if "{" in value:
                more = TOML_VALUES[generator.integers(len(TOML_VALUES))]
                lines[place] = lines[place].replace("{", f"{{ extra = {more}, ", 1)
    return "\n".join(lines).encode()


TARGETS = {
    "skad": Target(
        "Model files (`.skad`)", 5000, model_files, mutate_model, read_model, (LoadError,), ".skad"
    ),
    "toml": Target("Studies (`.toml`)", 2000, studies, mutate_study, read_study, (ValueError,), ".toml"),
    "nifti": Target(
        "Scans (`.nii`, `.nii.gz`)",
        10_000,
        scans,
        mutate_scan,
        read_scan,
        (VolumeReadError, Unusable),
        ".nii",
    ),
    "tsv": Target(
        "Tables (`participants.tsv`)", 2000, tables, mutate_table, read_table, (VolumeReadError,), ".tsv"
    ),
}

TEXT = """# Robustness

Valid files are mutated at random (bytes, values, structure; the seed of a mutant is its number) and
read. A mutant may be accepted, or refused with skad's own error. It *escapes* if anything else
happens: another exception, more than {seconds:g} s of CPU or {megabytes:g} MB beyond the size of
the file, a started program, an opened connection, an unpickled object, a written file, or the end
of the process. A small seeded part of each row is a test (`tests/test_robustness.py`).

Written by `python benchmarks/robustness.py`.

| files | tried | accepted | refused | escaped | slowest, s of CPU | largest memory, MB |
|---|---|---|---|---|---|---|
{rows}
"""


def write_page(counts):
    """Write the table; rows of targets that were not run stay as they are."""
    rows = {}
    if PAGE.exists():
        for line in PAGE.read_text(encoding="utf-8").splitlines():
            rows.update({title: line for title in _titles() if line.startswith(f"| {title} |")})
    for name, count in counts.items():
        title = TARGETS[name].title
        rows[title] = (
            f"| {title} | {count.tried} | {count.accepted} | {count.refused} | {len(count.escaped)} | "
            f"{count.slowest:.2f} | {count.largest:.0f} |"
        )
    text = "\n".join(rows[title] for title in _titles() if title in rows)
    PAGE.write_text(TEXT.format(seconds=SECONDS, megabytes=MEGABYTES, rows=text), encoding="utf-8")


def _titles():
    return [target.title for target in TARGETS.values()]


def main():
    """Run the targets and write the page, unless only a share is run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument(
        "--share", type=float, default=1.0, help="share of the mutants; below 1 writes no page"
    )
    arguments = parser.parse_args()
    counts = {}
    for name in arguments.only:
        counts[name] = full_run(name, arguments.share)
        print(f"{name}: {counts[name].tried} tried, {len(counts[name].escaped)} escaped", flush=True)
        print("\n".join(counts[name].escaped[:20]), flush=True)
    if arguments.share == 1.0:
        write_page(counts)
    return int(any(count.escaped for count in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
