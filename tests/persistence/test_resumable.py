"""Training into a file, interrupted and resumed."""

import os

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skad import VolumeAnomalyDetector, load
from skad.datasets import make_phantom
from skad.persistence import ResumableFit
from skad.persistence.resumable import Unfinished, check_free
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator
from skad.scoring import JointDRGMM
from skad.training.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def volumes():
    return make_phantom(n_subjects=2, shape=(24, 28, 8), lesion=None, random_state=0)


def detector(width=2):
    pipeline = make_pipeline(
        ContrastTranslator(width=width, n_blocks=0, max_epochs=2, random_state=0),
        JointDRGMM(width=2, n_components=2, max_epochs=2, random_state=0),
    )
    return VolumeAnomalyDetector(pipeline, preprocessor=VolumePreprocessor(size=(20, 24)))


@pytest.fixture
def interrupted(volumes, tmp_path, monkeypatch):
    """A training that is stopped when the second step has begun; its file."""
    saved, save = [], Checkpoint.save

    def stopped(self, state):
        save(self, state)
        saved.append(self.path.name)
        if self.path.name.startswith("01"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoint, "save", stopped)
        ResumableFit(tmp_path / "adm.skad").fit(detector(), volumes)
    return tmp_path / "adm.skad"


def test_a_resumed_training_writes_the_file_of_an_uninterrupted_one(interrupted, volumes, tmp_path):
    assert os.listdir(tmp_path) == ["adm.skad.checkpoints"]
    again = ResumableFit(interrupted, resume=True)
    assert not again.is_complete()
    again.fit(detector(), volumes)
    ResumableFit(tmp_path / "whole.skad").fit(detector(), volumes)
    assert interrupted.read_bytes() == (tmp_path / "whole.skad").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["adm.skad", "whole.skad"]


def test_the_file_holds_the_detector_that_was_fitted(volumes, tmp_path):
    fitted = ResumableFit(tmp_path / "adm.skad").fit(detector(), volumes, on_disk=True)
    np.testing.assert_array_equal(
        load(tmp_path / "adm.skad").anomaly_of(volumes[0]), fitted.anomaly_of(volumes[0])
    )
    assert os.listdir(tmp_path) == ["adm.skad"]


def test_an_unfinished_training_is_resumed_or_overwritten_never_lost(interrupted):
    with pytest.raises(ValueError, match=r"holds an unfinished training: resume it"):
        ResumableFit(interrupted).is_complete()
    assert not ResumableFit(interrupted, overwrite=True).is_complete()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"detector": detector(width=3)}, "width"),
        ({"volumes": make_phantom(n_subjects=1, shape=(24, 28, 8), lesion=None, random_state=0)}, "subjects"),
    ],
)
def test_another_training_does_not_resume_this_one(other, message, interrupted, volumes):
    settings = {"detector": detector(), "volumes": volumes} | other
    with pytest.raises(ValueError, match=f"belongs to a training with other .*{message}"):
        ResumableFit(interrupted, resume=True).fit(**settings)


def test_a_run_that_was_killed_after_writing_its_file_is_complete(tmp_path):
    run = Unfinished(tmp_path / "out.txt", ".work", "*.pt")
    run.folder.mkdir()
    (run.folder / "a.pt").write_text("state")
    run.out.write_text("done")
    assert run.has_begun and not run.is_complete()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Unfinished, "remove", lambda self: None)  # killed before
        run.finish()
    assert run.is_complete()
    run.out.write_text("another file")
    assert not run.is_complete()
    run.remove()
    assert os.listdir(tmp_path) == ["out.txt"]


def test_a_file_that_is_there_is_not_replaced_by_accident(tmp_path):
    path = tmp_path / "a.skad"
    check_free(path, overwrite=False)
    path.write_text("precious")
    with pytest.raises(ValueError, match=r"a\.skad already exists"):
        check_free(path, overwrite=False)
    check_free(path, overwrite=True)
    with pytest.raises(ValueError, match="is a folder"):
        check_free(tmp_path, overwrite=True)
