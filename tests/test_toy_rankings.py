"""Every method ranks a lesion as theory says, where a simpler score cannot: one toy and one row per method.

On each toy the lesion pixels have ordinary values: what makes them abnormal is the other contrast, the
place, the surroundings, the texture, or several noisy pixels together. The score named `naive` looks at
less than that.
"""

import warnings
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

import skad.reconstruction
import skad.scoring
from skad import SingleSubjectDetector
from skad.augmentation import Augmentation, Geometry, Intensity
from skad.evaluation.collapse import CollapseWarning
from skad.io import Volume
from skad.metrics import foreground_roc_auc_score
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import (
    ConditionalMixtureReconstructor,
    ContrastTranslator,
    DenoisingReconstructor,
    FAnoGANReconstructor,
    GMVAEReconstructor,
    IntroVAEReconstructor,
    LatentSearchTransformer,
    VAEReconstructor,
)
from skad.scoring import (
    AtlasScorer,
    ConditionalMixtureScorer,
    DAGMMScorer,
    DeepSVDDScorer,
    EnsembleScorer,
    IntensityScorer,
    JointDRGMM,
    MixtureScorer,
    PatchEmbeddingScorer,
    PyODScorer,
    ResidualScorer,
    SklearnScorer,
    SyntheticAnomalyScorer,
    make_lesion_ensemble,
)
from skad.synthetic import Blobs

SHAPE = (16, 24)
ROWS, COLUMNS = np.mgrid[: SHAPE[0], : SHAPE[1]]
N_TRAIN, N_TEST = 40, 12
MOST_NAIVE = 0.8


class Toy(NamedTuple):
    """Normal slices (or pairs), slices of patients, the truth, and the anomaly map of a simpler score."""

    train: np.ndarray
    test: np.ndarray
    y: np.ndarray
    naive: np.ndarray


def block(row, column, size=4):
    """A square lesion in every test slice."""
    y = np.zeros((N_TEST, *SHAPE), dtype=int)
    y[:, row : row + size, column : column + size] = 1
    return y


def smooth_fields(rng, n, width=3.0):
    fields = gaussian_filter(rng.normal(size=(n, *SHAPE)), (0, width, width))
    return fields / fields.std()


def contrasts():
    """The second contrast is minus the first; in a lesion both are slightly bright, neither unusually."""
    rng = np.random.default_rng(0)
    fields = smooth_fields(rng, N_TRAIN + N_TEST)
    first = 4 * rankdata(fields).reshape(fields.shape) / fields.size - 2
    X = np.stack([first, -first], axis=1)
    y = block(6, 9)
    X[N_TRAIN:] = np.where(y[:, None], 0.6, X[N_TRAIN:])
    X += 0.1 * rng.normal(size=X.shape)
    return Toy(X[:N_TRAIN], X[N_TRAIN:], y, X[N_TRAIN:, 1])


def sums():
    """The slices of `contrasts` where the contrasts add up to 6: a constant that no bias has to make."""
    toy = contrasts()
    return toy._replace(train=toy.train + 3, test=toy.test + 3)


def places():
    """An ellipse that is bright where every slice is; lesions are bright beside it and dark within."""
    rng = np.random.default_rng(1)
    x, y0, brightness = rng.uniform((10.5, 7, 0.8), (12.5, 8, 1.2), (N_TRAIN + N_TEST, 3)).T[:, :, None, None]
    ellipses = brightness * (((COLUMNS - x) / 7) ** 2 + ((ROWS - y0) / 4.5) ** 2 < 1)
    ellipses = gaussian_filter(ellipses, (0, 0.7, 0.7))
    X = np.stack([ellipses, 1 - ellipses], axis=1) + 0.03 * rng.normal(size=(len(ellipses), 2, *SHAPE))
    bright, dark = block(0, 20), block(6, 10)
    for contrast, (inside, beside) in enumerate([(1, 0), (0, 1)]):
        X[N_TRAIN:, contrast][bright > 0] += inside - beside
        X[N_TRAIN:, contrast][dark > 0] += beside - inside
    X[:, :, :, :2] = np.nan
    return Toy(X[:N_TRAIN], X[N_TRAIN:], bright + dark, X[N_TRAIN:, 0])


def surroundings():
    """Smooth slices of any brightness; lesions are a little brighter or darker than what is around them."""
    rng = np.random.default_rng(2)
    X = np.stack([smooth_fields(rng, N_TRAIN + N_TEST, width) for width in (4.0, 5.0)], axis=1)
    y = block(6, 9)
    X[N_TRAIN:] += np.where(y[:, None], 1.5 * (-1) ** np.arange(N_TEST)[:, None, None, None], 0)
    return Toy(X[:N_TRAIN], X[N_TRAIN:], y, np.abs(X[N_TRAIN:, 0]))


def references():
    """The slices of `surroundings` with what is below the lesions as reference."""
    toy = surroundings()
    sign = (-1) ** np.arange(N_TEST)[:, None, None, None]
    below = toy.test - np.where(toy.y[:, None], 1.5 * sign, 0)
    return Toy(np.stack([toy.train, toy.train], 1), np.stack([toy.test, below], 1), toy.y, toy.naive)


def textures():
    """Images are brighter or darker than their references everywhere; lesions are faint stripes."""
    rng = np.random.default_rng(3)
    fields = smooth_fields(rng, N_TRAIN + N_TEST, 1.5)[:, None]
    shift = rng.uniform(-0.8, 0.8, (len(fields), 1, 1, 1))
    P = np.stack([fields + shift * (1 + 0.5 * smooth_fields(rng, len(fields), 6.0)[:, None]), fields], axis=1)
    y = block(4, 8, size=8)
    P[N_TRAIN:, 0, 0] += 0.7 * y * np.where(COLUMNS % 2, 1, -1)
    return Toy(P[:N_TRAIN], P[N_TRAIN:], y, np.abs(P[N_TRAIN:, 0, 0] - P[N_TRAIN:, 1, 0]))


def noise():
    """A lesion as bright as the noise is large: only several pixels together tell."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(N_TRAIN + N_TEST, 1, *SHAPE))
    y = block(4, 8, size=8)
    X[N_TRAIN:, 0] += y
    return Toy(X[:N_TRAIN], X[N_TRAIN:], y, X[N_TRAIN:, 0])


def either():
    """Lesions are bright in one contrast or dark in the other, which has another unit."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(N_TRAIN + N_TEST, 2, *SHAPE)) * np.array([1, 100]).reshape(2, 1, 1)
    y = block(6, 9)
    X[N_TRAIN::2, 0] += 4 * y[::2]
    X[N_TRAIN + 1 :: 2, 1] -= 400 * y[1::2]
    return Toy(X[:N_TRAIN], X[N_TRAIN:], y, X[N_TRAIN:, 0] - X[N_TRAIN:, 1])


SMALL = {"max_epochs": 20, "batch_size": 8}
VAE = SMALL | {"channels": (8, 16), "latent_channels": 4, "encoder_lr": 1e-3, "decoder_lr": 1e-3}
GAN = SMALL | {"channels": (8, 16), "n_latents": 4, "lr": 1e-3, "encoder_lr": 3e-3}
RESTORATION = {"n_restoration_steps": 40, "restoration_lr": 2e-3}
EMBEDDING = {"channels": (8, 16), "patch_size": 8, "n_hidden": 32, "n_outputs": 16, "n_patches": 16}
BLOBS = Blobs(radius=(10.0, 24.0), shift=(1.0, 2.0), structure=(1.0, 1.0), texture=0.0)
ENSEMBLE = {"cv": 2, "network__width": 4, "network__depth": 2, "network__max_epochs": 2}
BRIGHT = ("bright", IntensityScorer(contrast=0, smoothing=0))
DARK = ("dark", IntensityScorer(contrast=1, sign=-1, smoothing=0))
LINE = ConditionalMixtureReconstructor(n_components=1)
SHIFTED = Augmentation(Geometry(flip=False), Intensity(shift=1.0))

# Name as exported, method, toy, and the least area under the ROC curve.
METHODS = [
    ("ConditionalMixtureReconstructor", LINE, contrasts, 0.99),
    ("ContrastTranslator", ContrastTranslator(width=8, n_blocks=1, max_epochs=15), contrasts, 0.95),
    (
        "ConditionalMixtureScorer",
        ConditionalMixtureScorer(contrast=1, sign=1, n_components=1),
        contrasts,
        0.99,
    ),
    ("MixtureScorer", MixtureScorer(), contrasts, 0.99),
    (
        "JointDRGMM",
        make_pipeline(LINE, JointDRGMM(width=8, n_features=2, lr=1e-2, **SMALL)),
        contrasts,
        0.95,
    ),
    ("DAGMMScorer", DAGMMScorer(width=8, max_epochs=40, batch_size=8, lr=1e-2), contrasts, 0.95),
    ("SklearnScorer", SklearnScorer(GaussianMixture(6)), contrasts, 0.99),
    ("PyODScorer", "KNN", contrasts, 0.99),
    ("make_lesion_ensemble", make_lesion_ensemble(["T1w", "FLAIR"]).set_params(**ENSEMBLE), contrasts, 0.95),
    ("DeepSVDDScorer", DeepSVDDScorer(width=8, depth=2, max_epochs=20, lr=1e-2), sums, 0.9),
    ("VAEReconstructor", VAEReconstructor(**VAE | {"max_epochs": 30}), places, 0.95),
    (
        "IntroVAEReconstructor",
        IntroVAEReconstructor(**VAE | {"max_epochs": 30}, n_warmup_epochs=10),
        places,
        0.95,
    ),
    (
        "LatentSearchTransformer",
        LatentSearchTransformer(VAEReconstructor(**VAE), n_steps=20, lr=1e-2),
        places,
        0.95,
    ),
    (
        "GMVAEReconstructor",
        GMVAEReconstructor(channels=(8, 16), lr=3e-3, **RESTORATION, **SMALL),
        places,
        0.95,
    ),
    ("FAnoGANReconstructor", FAnoGANReconstructor(**GAN), places, 0.95),
    ("AtlasScorer", AtlasScorer(), places, 0.99),
    (
        "DenoisingReconstructor",
        DenoisingReconstructor(width=8, depth=2, noise_cells=6, max_epochs=40, batch_size=8, lr=1e-2),
        surroundings,
        0.9,
    ),
    (
        "SyntheticAnomalyScorer",
        SyntheticAnomalyScorer(
            families=[BLOBS], augmentation=None, width=8, depth=2, max_epochs=40, batch_size=8, lr=1e-2
        ),
        surroundings,
        0.9,
    ),
    ("ResidualScorer", ResidualScorer(), references, 0.99),
    ("PatchEmbeddingScorer", PatchEmbeddingScorer(**EMBEDDING, views=SHIFTED, lr=1e-3), textures, 0.9),
    ("IntensityScorer", IntensityScorer(smoothing=1.5), noise, 0.95),
    ("EnsembleScorer", EnsembleScorer([BRIGHT, DARK]), either, 0.95),
]


@pytest.fixture(scope="module")
def toys():
    """Toys by function, each made once."""
    return cache(lambda make: make())


@pytest.mark.parametrize(
    ("method", "make", "least"), [row[1:] for row in METHODS], ids=[row[0] for row in METHODS]
)
def test_the_lesion_ranks_above_normal_tissue(method, make, least, toys):
    if method == "KNN":
        method = PyODScorer(pytest.importorskip("pyod.models.knn").KNN())
    method, toy = clone(method), toys(make)
    method.set_params(**{name: 0 for name in method.get_params() if name.endswith("random_state")})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)  # of small networks, briefly trained
        anomaly = -method.fit(toy.train).score_samples(toy.test)
    assert foreground_roc_auc_score(toy.y, anomaly) > least


@pytest.mark.parametrize("make", sorted({row[2] for row in METHODS}, key=lambda make: make.__name__))
def test_a_score_that_looks_at_less_cannot(make, toys):
    toy = toys(make)
    assert foreground_roc_auc_score(toy.y, toy.naive) < MOST_NAIVE


def test_every_method_has_its_row():
    exported = {*skad.scoring.__all__, *skad.reconstruction.__all__}
    assert exported == {name for name, *_ in METHODS}


def test_a_single_patient_needs_no_normal_slices(toys):
    toy = toys(contrasts)
    first, second = (np.moveaxis(toy.test[:, contrast], 0, -1) for contrast in (0, 1))
    labels = np.moveaxis(toy.y, 0, -1).astype(np.int16)
    mask = np.ones(labels.shape, dtype=bool)
    patient = Volume({"T1w": first, "FLAIR": second}, np.eye(4), subject="sub-01", mask=mask, labels=labels)
    prepare = VolumePreprocessor(size=(24, 24), voxel_size=1.0, intensity="zscore")
    detector = SingleSubjectDetector(preprocessor=prepare).fit([patient])
    anomaly = detector.score_volume(patient).get_fdata()
    assert foreground_roc_auc_score(labels[None], anomaly[None]) > 0.95
