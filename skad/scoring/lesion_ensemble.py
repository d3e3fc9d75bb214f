"""The ensemble that `skad fit --method ensemble` trains: mixture tails and planted-lesion networks."""

from collections.abc import Sequence

from skad.augmentation import Augmentation, Geometry, Scanner
from skad.scoring.conditional_mixture import ConditionalMixtureScorer
from skad.scoring.ensemble import EnsembleScorer
from skad.scoring.synthetic_anomaly import SyntheticAnomalyScorer
from skad.synthetic import Appearance, Lesions
from skad.utils.contrasts import with_bright_lesions


def make_lesion_ensemble(
    contrasts: Sequence[str],
    *,
    cv: int = 3,
    width: int = 16,
    max_epochs: int = 40,
    device: str = "auto",
    random_state: int | None = None,
) -> EnsembleScorer:
    """Make an ensemble of a conditional mixture and networks trained on synthetic lesions.

    Its members are

    - "mixture": the tail probability of FLAIR (or T2) given the T1-weighted contrasts under a Gaussian
      mixture, see :meth:`ConditionalMixtureScorer.for_contrasts`. With one contrast there is nothing to
      condition on, and it is left out.
    - "network": a U-Net that segments synthetic lesions planted into normal slices, most of them bright on
      FLAIR and T2, see :class:`SyntheticAnomalyScorer`. It scores each slice at three magnifications, and
      sees neighboring slices where the detector gives them (``context``).

    Both are fitted once without each fold of the training slices, calibrated on the slices of that fold, and
    combined with equal weights by Fisher's method, see :class:`EnsembleScorer`. Holes of the combined map are
    filled. No weight and no threshold is chosen on labels.

    Parameters
    ----------
    contrasts : sequence of str
        Names of the contrasts in the order of the images, such as ``volume.contrasts``.
    cv : int, default=3
        Folds, and so networks.
    width : int, default=16
        Feature maps of the finest level of the U-Net.
    max_epochs : int, default=40
        Of each network; a small cohort is gone through several times in each, up to about 256 slices.
    device : str, default="auto"
        "auto", "cpu", "cuda" or "cuda:N".
    random_state : int or None, default=None
        Seed of all members.

    Returns
    -------
    EnsembleScorer
        Unfitted; ``set_params(network__lr=...)`` reaches its members.

    See Also
    --------
    EnsembleScorer : Any other scorers, combined alike.

    Notes
    -----
    The prior that lesions are bright on FLAIR and T2 costs lesions that are dark there: the mixture's tail
    does not see them at all, and only a fifth of the planted lesions has a free sign.

    Examples
    --------
    >>> from skad.scoring import make_lesion_ensemble
    >>> [name for name, _ in make_lesion_ensemble(["T1w", "FLAIR"]).scorers]
    ['mixture', 'network']
    >>> [name for name, _ in make_lesion_ensemble(["FLAIR"]).scorers]
    ['network']
    """
    network = SyntheticAnomalyScorer(
        families=(Lesions(appearance=Appearance(signs=_signs(contrasts))),),
        inputs=("image", "neighbors", *("conditional",) * (len(contrasts) > 1), "mirror", "atlas"),
        augmentation=Augmentation(
            Geometry(rotation=15.0, scaling=0.2, translation=0.05), Scanner(scaling=0.15, shift=0.2)
        ),
        width=width,
        zooms=(0.9, 1.1),
        epoch_size=256,
        max_epochs=max_epochs,
        lr=2e-3,
        schedule="cosine",
        device=device,
        random_state=random_state,
    )
    members = [("network", network)]
    if len(contrasts) > 1:
        mixture = ConditionalMixtureScorer.for_contrasts(contrasts, random_state=random_state)
        members.insert(0, ("mixture", mixture))
    return EnsembleScorer(members, cv=cv, fill_holes=True)


def _signs(contrasts):
    """1 for contrasts on which most lesions are bright, 0 for the others; None where there is none."""
    bright = with_bright_lesions(contrasts)
    return tuple(int(index in bright) for index in range(len(contrasts))) if bright else None
