import pytest

from skad.datasets import load_isles
from skad.io import VolumeReadError


def siss(case, labels=True):
    names = {"MR_DWI.10": 1, "MR_Flair.11": 2, "MR_T1.12": 3, "MR_T2.13": 4}
    files = {f"VSD.Brain.XX.O.{name}": value for name, value in names.items()}
    files |= {"VSD.Brain_3more.XX.XX.OT.14": 5} if labels else {}
    return {f"{case}/{name}/{name}.nii": value for name, value in files.items()}


def test_2015_has_four_contrasts_and_the_lesion(folder, value):
    volumes = load_isles(folder(siss("1") | siss("2")))
    assert [volume.subject for volume in volumes] == ["1", "2"]
    assert [value(volumes[0].contrasts[name]) for name in ("dwi", "FLAIR", "T1w", "T2w")] == [1, 2, 3, 4]
    assert value(volumes[0].labels) == 5


@pytest.mark.filterwarnings("ignore:.*labels. . of:skad.datasets.CohortWarning")
def test_2015_training_and_testing_cases_do_not_mix(folder):
    volumes = load_isles(folder(siss("Testing/1", labels=False) | siss("Training/1")))
    assert [(volume.subject, volume.has_labels) for volume in volumes] == [
        ("Testing-1", False),
        ("Training-1", True),
    ]


@pytest.mark.parametrize(
    "layout", ["{0}/ses-0001/{1}/{0}_ses-0001_{2}", "rawdata/{0}/ses-0001/{0}_ses-0001_{2}"]
)
def test_2022_puts_diffusion_first_and_finds_the_lesion_in_derivatives(folder, value, layout):
    subject = "sub-strokecase0001"
    files = {
        layout.format(subject, part, name) + ".nii.gz": number
        for number, (part, name) in enumerate([("anat", "FLAIR"), ("dwi", "dwi"), ("dwi", "adc")], 1)
    }
    files[f"derivatives/{subject}/ses-0001/{subject}_ses-0001_msk.nii.gz"] = 7
    (volume,) = load_isles(folder(files))
    assert tuple(volume.contrasts) == ("dwi", "adc", "FLAIR")
    assert [value(volume.contrasts[name]) for name in volume.contrasts] == [2, 3, 1]
    assert (volume.subject, value(volume.labels)) == (subject, 7)


def test_a_folder_of_something_else_is_named(folder):
    with pytest.raises(VolumeReadError, match=r"VSD.Brain.*sub-strokecase"):
        load_isles(folder({"sub-a/anat/sub-a_T1w.nii.gz": 1}))
