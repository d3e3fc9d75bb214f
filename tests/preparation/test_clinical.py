"""A patient straight from the scanner: four oblique grids, skull on, moved between the contrasts."""

from importlib.util import find_spec

import nibabel
import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from skad.datasets import load_bids
from skad.preparation import CoRegister

pytestmark = [
    pytest.mark.skipif(find_spec("SimpleITK") is None, reason="needs SimpleITK: pip install 'skad[prepare]'"),
    pytest.mark.filterwarnings("ignore:.*lies on another grid:skad.io.GeometryWarning"),
]
CONTRASTS = ("T2w", "FLAIR")  # the two smallest; benchmarks/coregistration.py looks at all four


def information(first, second):
    """Mutual information where both are known, nats, from 32 bins of equal count."""
    known = np.isfinite(first) & np.isfinite(second)
    bins = [
        np.digitize(image[known], np.quantile(image[known], np.linspace(0, 1, 33)[1:-1]))
        for image in (first, second)
    ]
    return mutual_info_score(*bins)


def test_the_contrasts_agree_and_a_map_goes_back_onto_each_original(real_data):
    (scanned,) = load_bids(real_data / "clinical", contrasts=CONTRASTS)
    align = CoRegister("T2w")
    (aligned,) = align.fit_transform([scanned])
    before, after = (information(*(v.contrasts[name] for name in CONTRASTS)) for v in (scanned, aligned))
    assert after > 1.2 * before
    (maps,) = align.inverse_transform([aligned.contrasts["FLAIR"]], [aligned])
    for name, image in maps.items():
        source = nibabel.load(scanned.info["paths"][name])
        assert image.shape == source.shape
        np.testing.assert_array_equal(image.affine, source.affine)
    back, original = maps["FLAIR"].get_fdata(), nibabel.load(scanned.info["paths"]["FLAIR"]).get_fdata()
    known = np.isfinite(back)
    assert np.corrcoef(back[known], original[known])[0, 1] > 0.8
