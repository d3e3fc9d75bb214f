"""Our scores of instances against those of panoptica, on random masks.

    python benchmarks/panoptica_masks.py write /tmp/masks      # where skad is installed
    python benchmarks/panoptica_masks.py check /tmp/masks      # where panoptica is installed, without skad

Two environments, because the pinned dependencies of panoptica conflict with those of skad.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import ndimage

SHAPE, N_PAIRS = (9, 20, 23), 40
JUST_ABOVE_HALF = 0.5 + 1e-9  # panoptica takes a tie for a match, Kirillov et al. and we do not


def masks(seed):
    """Blobs, and blobs like them: some moved a little, some missed, some added."""
    rng = np.random.default_rng(seed)
    noise = [ndimage.gaussian_filter(rng.normal(size=SHAPE), (0.7, 1.6, 1.6)) for _ in range(2)]
    truth = noise[0] > np.quantile(noise[0], 0.93)
    mixed = noise[0] + rng.uniform(0.1, 1.2) * noise[1]
    predicted = np.roll(mixed > np.quantile(mixed, 0.94), int(rng.integers(0, 2)), axis=2)
    return truth, predicted


def write(folder):
    """Masks, and what skad says of them."""
    from skad.metrics import lesionwise_scores, panoptic_quality

    folder.mkdir(parents=True, exist_ok=True)
    scores = []
    for seed in range(N_PAIRS):
        truth, predicted = masks(seed)
        found = panoptic_quality(truth, predicted) | lesionwise_scores(truth, predicted, dilation=0)
        scores.append(found)
        np.savez_compressed(folder / f"{seed}.npz", truth=truth, predicted=predicted)
    (folder / "scores.json").write_text(json.dumps(scores))


def check(folder):
    """The largest differences to panoptica: counts of lesions; panoptic quality and its factors."""
    from panoptica import (
        ConnectedComponentsInstanceApproximator,
        InputType,
        Metric,
        NaiveThresholdMatching,
        Panoptica_Evaluator,
    )

    evaluator = Panoptica_Evaluator(
        expected_input=InputType.SEMANTIC,
        instance_approximator=ConnectedComponentsInstanceApproximator(),
        instance_matcher=NaiveThresholdMatching(
            matching_metric=Metric.IOU, matching_threshold=JUST_ABOVE_HALF
        ),
        instance_metrics=[Metric.IOU, Metric.DSC],
        global_metrics=[Metric.DSC],
        verbose=False,
    )
    scores = json.loads((folder / "scores.json").read_text())
    names = {"panoptic_quality": "pq", "recognition_quality": "rq", "segmentation_quality": "sq"}
    worst, matches = dict.fromkeys(["n_lesions", *names], 0.0), 0
    for seed, ours in enumerate(scores):
        with np.load(folder / f"{seed}.npz") as pair:
            truth, predicted = (pair[name].astype(np.uint8) for name in ("truth", "predicted"))
        theirs = evaluator.evaluate(predicted, truth, verbose=False)["ungrouped"]
        matches += theirs.tp
        worst["n_lesions"] = max(worst["n_lesions"], abs(ours["n_lesions"] - theirs.tp - theirs.fn))
        for name, other in names.items():
            value = getattr(theirs, other) if theirs.tp else 0.0
            worst[name] = max(worst[name], abs(ours[name] - value))
    print(f"{len(scores)} pairs of masks, {matches} matches; largest differences:")
    for name, difference in worst.items():
        print(f"  {name}: {difference:.2e}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("write", "check"))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    {"write": write, "check": check}[arguments.step](arguments.folder)


if __name__ == "__main__":
    main()
