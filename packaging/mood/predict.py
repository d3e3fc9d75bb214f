"""Scores of a folder of scans as the MOOD challenge asks for them: numbers from 0 to 1.

python predict.py pixel INPUT OUTPUT --model calibrated.skad     # NAME.nii.gz of each scan
python predict.py sample INPUT OUTPUT --model calibrated.skad    # NAME.nii.gz.txt, a number
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import skad
from skad.calibration import ConformalCalibrator
from skad.calibration.drift import QUANTILES
from skad.io import read_volume, write_map
from skad.utils.files import written_whole

SHARE = 0.999  # of a scan's voxels that lie below its sample score


def squash(anomaly, normal, threshold):
    """Anomaly scores to (0, 1): `normal` becomes 1/4, `threshold` 1/2.

    With t = (anomaly - threshold) / (threshold - normal), a score becomes (1 + t / (1 + \\|t\\|)) / 2. It
    increases strictly, so that rankings stay, and slowly for large t: the challenge rounds to float16, in
    which a logistic function of t is 1 from t = 8 on.

    Examples
    --------
    >>> squash(np.array([-np.inf, 2.0, 4.0, 8.0]), normal=2.0, threshold=4.0)
    array([0.        , 0.25      , 0.5       , 0.83333333])
    """
    t = (np.asarray(anomaly, dtype=np.float64) - threshold) / (threshold - normal)
    with np.errstate(invalid="ignore"):
        return (1 + np.where(np.isinf(t), np.sign(t), t / (1 + np.abs(t)))) / 2


def load_model(path):
    """The detector of a calibrated file, and what `squash` needs of its normal subjects."""
    calibrator = skad.load(path)
    if not isinstance(calibrator, ConformalCalibrator):
        raise ValueError(f"{path} is not calibrated: run `skad calibrate` on normal scans first.")
    if len(calibrator.detector.contrasts_) != 1:
        names = ", ".join(calibrator.detector.contrasts_)
        raise ValueError(f"{path} needs {names}, and a scan of the challenge has one contrast.")
    normal = float(np.median(calibrator.summaries_[:, QUANTILES.index(0.5)]))
    return calibrator.detector, {"normal": normal, "threshold": -calibrator.offset_}


def predict(task, path, folder, detector, levels):
    """Write what the task asks for of one scan."""
    volume = read_volume({detector.contrasts_[0]: path}, subject=path.name)
    scores = squash(detector.score_volume(volume).get_fdata(), **levels)
    if task == "pixel":
        write_map(scores, volume, folder / path.name, outside="zero")
        return
    with written_whole(folder / f"{path.name}.txt") as temporary:
        temporary.write_text(f"{np.nanquantile(scores, SHARE):.9f}\n")


def main(argv=None):
    """0 where all scans are done, 1 where some failed, 2 where nothing can be done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("pixel", "sample"))
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", required=True)
    options = parser.parse_args(argv)
    paths = sorted(path for path in options.input.glob("*") if path.name.endswith((".nii", ".nii.gz")))
    try:
        model = load_model(options.model)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    failed = 0
    for path in paths:
        try:
            predict(options.task, path, options.output, *model)
        except ValueError as error:  # the others are worth more than none
            failed = 1
            print(f"{path.name}: {error}", file=sys.stderr)
    print(f"{len(paths)} scans of {options.input} to {options.output}.")
    return failed if paths else 2


if __name__ == "__main__":
    sys.exit(main())
