"""Maps from the scan alone, on the command line."""

import nibabel
import numpy as np
import pytest

from skad.cli import main
from skad.cli.quick import LIMITS, ONE_CONTRAST
from skad.io import read_volume


@pytest.fixture
def scans(tmp_path, write_cohort):
    return write_cohort(tmp_path / "scans", 2)


@pytest.fixture
def files(scans):
    anat = next(scans.glob("sub-*/anat"))
    return {path.name.split("_")[-1].removesuffix(".nii.gz"): path for path in anat.glob("*_[TF]*.nii.gz")}


def _quick(*arguments):
    return main(["quick", *map(str, arguments)])


def test_a_map_of_single_files_lies_on_their_grid(files, tmp_path, capsys):
    images = [f"{name}={path}" for name, path in files.items()]
    assert _quick("--image", *images, "--out", tmp_path / "out" / "map.nii.gz") == 0
    assert "abnormal is FLAIR brighter than expected given T1w" in capsys.readouterr().out
    image, scan = nibabel.load(tmp_path / "out" / "map.nii.gz"), nibabel.load(files["FLAIR"])
    assert image.shape == scan.shape
    np.testing.assert_allclose(image.affine, scan.affine)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"map.nii.gz", "map.html"}


def test_the_bright_block_has_the_highest_scores(files, tmp_path):
    images = [f"{name}={path}" for name, path in files.items()]
    assert _quick("--image", *images, "--out", tmp_path / "map.nii") == 0
    anomaly = nibabel.load(tmp_path / "map.nii").get_fdata()
    lesion = read_volume(files, labels=next(files["FLAIR"].parent.glob("*lesion*"))).labels > 0
    assert anomaly[lesion].mean() > np.nanpercentile(anomaly, 95)


def test_the_report_says_what_the_map_cannot_show(files, tmp_path):
    assert _quick("--image", f"FLAIR={files['FLAIR']}", "--out", tmp_path / "map.nii.gz") == 0
    page = (tmp_path / "map.html").read_text()
    assert LIMITS in page and ONE_CONTRAST in page


def test_a_folder_gives_a_map_of_every_subject(scans, tmp_path):
    assert _quick(scans, "--out", tmp_path / "maps") == 0
    assert len(list((tmp_path / "maps").glob("sub-*/anat/*_desc-anomaly_map.nii.gz"))) == 2
    assert (tmp_path / "maps" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "map.nii.gz"], "There should be either a folder of scans or --image"),
        (["--image", "flair.nii.gz", "--out", "map.nii.gz"], "should look like NAME=FILE"),
    ],
)
def test_mistakes_are_told(arguments, message, capsys):
    assert _quick(*arguments) == 2
    assert message in capsys.readouterr().err


def test_one_file_holds_one_subject(scans, tmp_path, capsys):
    assert _quick(scans, "--out", tmp_path / "map.nii.gz") == 2
    assert "is one file, but there are 2 subjects" in capsys.readouterr().err
    assert not (tmp_path / "map.nii.gz").exists()
