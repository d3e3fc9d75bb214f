"""Numbers that tell whether a training did what its method promises; `sanity.py` writes them for a study."""

from typing import Any, NamedTuple

import numpy as np
import torch

from skad.benchmark.slices import CohortSlices
from skad.model_selection import PseudoAnomalyScorer
from skad.reconstruction import (
    DenoisingReconstructor,
    FAnoGANReconstructor,
    GMVAEReconstructor,
    IntroVAEReconstructor,
    VAEReconstructor,
)
from skad.reconstruction.denoising import coarse_noise
from skad.scoring import (
    DAGMMScorer,
    DeepSVDDScorer,
    JointDRGMM,
    PatchEmbeddingScorer,
    SyntheticAnomalyScorer,
)
from skad.synthetic import Lesions

EXPLAINED = "variance of normal tissue that references explain"
OFFSET = "offset of references there, standard deviations"
_N_SLICES = 64  # that are looked at where an estimator has to be applied again


class Trained(NamedTuple):
    """A finished step of a study.

    ``curves`` has the values of every loss over the epochs, ``pairs`` those of the test fold (None for a
    method), and ``y`` the labels of that fold.
    """

    estimator: Any
    curves: dict[str, list[float]]
    slices: CohortSlices
    y: np.ndarray
    pairs: np.ndarray | None


def guards_of(trained):
    """Guards of a finished step, name to value: of its class and, of a reconstructor, of every reference."""
    found = {} if trained.pairs is None else references(trained)
    for cls, guards in GUARDS.items():
        if type(trained.estimator) is cls:
            found |= guards(trained)
    return {name: float(value) for name, value in found.items()}


def last_third(values):
    """The values of the last third of the epochs."""
    return np.array(values[-max(1, len(values) // 3) :])


def references(trained):
    """Any reference of normal tissue: 1 minus its squared error over the images' variance, and its offset.

    Both are means of the contrasts.
    """
    images, references = np.moveaxis(trained.pairs, 1, 0)
    normal = (trained.y == 0)[:, None] & ~np.isnan(images)
    errors = np.where(normal, references - images, np.nan)
    spread = np.nanvar(np.where(normal, images, np.nan), axis=(0, 2, 3))
    explained = 1 - np.nanmean(errors**2, axis=(0, 2, 3)) / spread
    offset = np.nanmean(errors, axis=(0, 2, 3)) / np.sqrt(spread)
    return {
        EXPLAINED: explained.mean(),
        OFFSET: offset.mean(),
    }


def total_variation(images):
    """Mean absolute difference of neighboring pixels of the foreground."""
    steps = [np.abs(np.diff(images, axis=axis)) for axis in (-2, -1)]
    return sum(np.nansum(each) for each in steps) / sum((~np.isnan(each)).sum() for each in steps)


def restoration(trained):
    """GMVAE: references differ from the images inside lesions and vary less."""
    images, references = np.moveaxis(trained.pairs, 1, 0)
    lesion = (trained.y > 0) & ~np.isnan(images[:, 0])
    changed = np.abs(images - references)[:, 0][lesion].mean() / np.nanstd(images)
    return {
        "change inside lesions, share of the images' spread": changed,
        "fall of the total variation, share": 1 - total_variation(references) / total_variation(images),
    }


def flatness(trained):
    """A single loss: how far it has fallen, and how far it still falls."""
    loss = trained.curves["loss"]
    early, late = np.array_split(last_third(loss), 2) if len(loss) > 5 else (loss[-2], loss[-1])
    return {
        "loss of the last third over that of the first epoch": last_third(loss).mean() / loss[0],
        "fall within the last third, share of the first epoch": (np.mean(early) - np.mean(late)) / loss[0],
    }


def game_of_introvae(trained):
    """IntroVAE: the encoder still tells reconstructions from images, and not all of them."""
    share = last_third(trained.curves["share_inside_margin"]).mean()
    return {"share of reconstructions inside the margin, last third": share}


def game_of_fanogan(trained):
    """f-AnoGAN: the critic still tells generated images from real ones, by less than at its best."""
    distance = trained.curves["wasserstein_distance"]
    return {
        "Wasserstein distance, last third": last_third(distance).mean(),
        "the same over the largest of an epoch": last_third(distance).mean() / max(distance),
    }


def divergence(trained):
    """VAE: the latents say something about the image."""
    return {"divergence from the prior in nats, last epoch": trained.curves["kl_real"][-1]}


def removed_noise(trained):
    """Denoising: the share of new noise, its variance, that is left in the reference of a normal slice."""
    model, X = trained.estimator, trained.slices.normal()[0]
    X = np.array(X[:: max(1, len(X) // _N_SLICES)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        noise = coarse_noise(torch.from_numpy(np.nan_to_num(X)), model.noise_cells).numpy()
    noise *= model.noise_sigma * model.scale_[:, None, None]
    left = (model.reconstruct(X + noise) - X) / model.scale_[:, None, None]
    noise = np.where(np.isnan(X), np.nan, noise) / model.scale_[:, None, None]
    return {"variance of new noise that is left": np.nanmean(left**2) / np.nanmean(noise**2)}


def planted(trained):
    """Networks for planted lesions: average precision on new ones, and whether the loss is flat."""
    families = trained.estimator.families
    families = {"lesions": Lesions()} if families == "auto" else dict(enumerate(families))
    X, patients = trained.slices.normal()
    scorer = PseudoAnomalyScorer(families=families, n_slices=_N_SLICES, random_state=0)
    score = scorer.score(trained.estimator, X, groups=patients)
    return {"average precision on new planted lesions": score} | flatness(trained)


def density(trained):
    """Density methods: no component is empty or singular; what training does to error and energy."""
    curves, estimator = trained.curves, trained.estimator
    values = [
        estimator.weights_.min(),
        np.linalg.eigvalsh(estimator.covariances_).min(),
        curves["reconstruction"][-1] / curves["reconstruction"][0]
        if any(curves["reconstruction"])
        else np.nan,
        curves["energy"][-1] - curves["energy"][0],
        estimator.penalty_weight * curves["penalty"][-1] / curves["loss"][-1]
        if "penalty" in curves
        else np.nan,
    ]
    return dict(zip(OF_DENSITIES, values, strict=True))


OF_DENSITIES = (
    "smallest weight",
    "smallest eigenvalue",
    "error, last over first epoch",
    "energy, last minus first, nats",
    "penalty, share of the loss",
)
GUARDS = {
    VAEReconstructor: divergence,
    IntroVAEReconstructor: game_of_introvae,
    GMVAEReconstructor: restoration,
    FAnoGANReconstructor: game_of_fanogan,
    DenoisingReconstructor: removed_noise,
    DeepSVDDScorer: flatness,
    PatchEmbeddingScorer: flatness,
    SyntheticAnomalyScorer: planted,
    JointDRGMM: density,
    DAGMMScorer: density,
}


def guard_tables(rows):
    """Tables of a page: a row per guard with the value of every seed, and a row per density method.

    Parameters
    ----------
    rows : list of dict
        "name", "seed", "guard", "value".

    Returns
    -------
    guards : list of dict
        "name", "guard", "value of each seed".
    densities : list of dict
        "name", and the range over the seeds of each of its guards; "-" where it has none.
    """
    values = {}
    for row in rows:
        values.setdefault((row["name"], row["guard"]), []).append(row["value"])
    guards = [
        {"name": name, "guard": guard, "value of each seed": ", ".join(f"{value:.3g}" for value in each)}
        for (name, guard), each in values.items()
        if guard not in OF_DENSITIES
    ]
    names = dict.fromkeys(name for name, guard in values if guard in OF_DENSITIES)
    return guards, [
        {"name": name} | {guard: _range(values[name, guard]) for guard in OF_DENSITIES} for name in names
    ]


def _range(values):
    return "-" if np.isnan(values).any() else f"{min(values):.2g} to {max(values):.2g}"
