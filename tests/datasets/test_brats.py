import pytest

from skad.datasets import load_brats
from skad.io import VolumeReadError

CANONICAL = {"T1w", "ce-gadolinium_T1w", "T2w", "FLAIR"}


def case(path, names, separator):
    stem = path.split("/")[-1]
    return {f"{path}/{stem}{separator}{name}.nii.gz": value for value, name in enumerate(names, 1)}


def test_names_of_2019_in_grades(folder, value):
    names = ("flair", "t1", "t1ce", "t2", "seg")
    root = folder(case("HGG/BraTS19_A_1", names, "_") | case("LGG/BraTS19_B_1", names, "_"))
    first, second = load_brats(root)
    assert set(first.contrasts) == CANONICAL
    assert [value(first.contrasts[name]) for name in ("FLAIR", "T1w", "ce-gadolinium_T1w", "T2w")] == [
        1,
        2,
        3,
        4,
    ]
    assert value(first.labels) == 5
    assert (first.subject, first.info["grade"], second.info["grade"]) == ("BraTS19_A_1", "HGG", "LGG")


@pytest.mark.filterwarnings("ignore:.*labels. . of:skad.datasets.CohortWarning")
def test_names_of_2023_with_several_time_points_of_a_patient(folder, value):
    names = ("t2f", "t1n", "t1c", "t2w", "seg")
    root = folder(case("BraTS-GLI-00001-000", names, "-") | case("BraTS-GLI-00001-001", names[:4], "-"))
    first, second = load_brats(root)
    assert [value(first.contrasts[name]) for name in ("FLAIR", "T1w", "ce-gadolinium_T1w", "T2w")] == [
        1,
        2,
        3,
        4,
    ]
    assert (first.subject, second.subject) == ("BraTS-GLI-00001", "BraTS-GLI-00001")
    assert (first.info["session"], second.info["session"]) == ("000", "001")
    assert second.labels is None


def test_files_may_lie_in_the_folder_itself_and_be_uncompressed(folder):
    (volume,) = load_brats(folder({"BraTS20_Training_001_flair.nii": 1, "BraTS20_Training_001_t1.nii": 2}))
    assert volume.subject == "BraTS20_Training_001"


def test_a_folder_of_something_else_is_named(folder):
    with pytest.raises(VolumeReadError, match=r"has no \*_t1ce.nii.gz"):
        load_brats(folder({"sub-a/anat/sub-a_T1w.nii.gz": 1}))
