"""The diagram of an estimator links to the page that the documentation has of it."""

import importlib
import re
import runpy
from pathlib import Path

import pytest
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skad import VolumeAnomalyDetector
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator
from skad.scoring import JointDRGMM, SklearnScorer
from skad.utils.documentation import DOCUMENTATION, DocumentationLinkMixin

REFERENCE = Path(__file__).parents[2] / "docs" / "extensions" / "public_api.py"


@pytest.fixture(scope="module")
def estimators():
    """Page of the reference, as its builder names it, to the class of every public estimator."""
    pytest.importorskip("sphinx", reason="sphinx is not installed: skad[docs]")
    packages = runpy.run_path(str(REFERENCE))["public_names"]()
    pages = {
        f"{package}.{name}": getattr(importlib.import_module(package), name)
        for package, names in packages.items()
        for name in names
    }
    return {
        page: each for page, each in pages.items() if hasattr(each, "get_params") and hasattr(each, "fit")
    }


def test_every_public_estimator_links_to_its_page_of_the_reference(estimators):
    assert len(estimators) > 20
    for page, estimator in estimators.items():
        assert issubclass(estimator, DocumentationLinkMixin), page
        link = estimator._get_doc_link(estimator.__new__(estimator))
        assert link == f"{DOCUMENTATION}/api/generated/{page}.html"


def links_of(estimator):
    """Pages that the diagram links to, by the last part of their address."""
    links = re.findall(r'href="([^"#]*)', estimator_html_repr(estimator))
    return {link.rpartition("/")[2]: link for link in links}


def test_the_diagram_of_a_detector_links_its_parts():
    pipeline = make_pipeline(ContrastTranslator(), JointDRGMM())
    links = links_of(VolumeAnomalyDetector(pipeline, preprocessor=VolumePreprocessor()))
    assert {page for page, link in links.items() if link.startswith(DOCUMENTATION)} == {
        "skad.VolumeAnomalyDetector.html",
        "skad.preprocessing.VolumePreprocessor.html",
        "skad.reconstruction.ContrastTranslator.html",
        "skad.scoring.JointDRGMM.html",
    }


def test_the_diagram_of_a_pipeline_links_to_scikit_learn_too():
    links = links_of(make_pipeline(ContrastTranslator(), SklearnScorer(IsolationForest())))
    for page in ("sklearn.pipeline.Pipeline.html", "sklearn.ensemble.IsolationForest.html"):
        assert links[page].startswith("https://scikit-learn.org/")
    assert links["skad.scoring.SklearnScorer.html"].startswith(DOCUMENTATION)


def test_estimators_of_others_keep_their_links():
    class OwnScorer(JointDRGMM):
        """Has no page here."""

    assert OwnScorer()._get_doc_link() == ""
    assert "scikit-learn.org" in StandardScaler()._get_doc_link()
