"""MR physics of the phantom: relaxation constants, signal equations, coil bias and Rician noise.

Constants (1.5 T; times in ms, proton density relative to CSF, diffusivity in 1e-3 mm^2/s)

- T1, T2 and proton density of white matter, gray matter, CSF, fat, muscle, skin and MS plaque: the tissue
  table of the BrainWeb simulator [1]_.
- T1 of blood: [2]_. Its T2 of 40 ms is ours and stands for the flow void of spin echoes.
- Diffusivity of white matter (0.70) and cortical gray matter (0.89): [3]_; CSF: free water at body
  temperature (3.0); enhancing tumor (0.96): glioblastoma in [4]_.
- Acute stroke: diffusivity 0.45, below the 0.55 that delineates the infarct core in [5]_; T2 risen by 1-2 ms
  per hour after onset [6]_, here that of a day-old infarct.
- Relaxivities of gadopentetate in plasma, r1 = 4.1 and r2 = 4.6 per mM per s: [7]_.
- Vitreous humor: as CSF. Choroid plexus, marrow, cortical bone (no signal): ours.
- Tumor, necrosis, edema, gliosis: ours. T1 and T2 lie above those of normal tissue by about as much as
  the review [8]_ reports; published values scatter so much between patients that every phantom subject
  draws its own around ours.

References
----------
.. [1] Kwan, Evans, Pike 1999, MRI simulation-based evaluation of image-processing and classification methods,
   IEEE Transactions on Medical Imaging 18:1085.
.. [2] Stanisz et al. 2005, T1, T2 relaxation and magnetization transfer in tissue at 3T, Magnetic Resonance
   in Medicine 54:507 (it lists 1.5 T as well).
.. [3] Helenius et al. 2002, Diffusion-weighted MR imaging in normal human brains in various age groups,
   American Journal of Neuroradiology 23:194.
.. [4] Toh et al. 2008, Primary cerebral lymphoma and glioblastoma multiforme: differences in diffusion
   characteristics evaluated with diffusion tensor imaging, American Journal of Neuroradiology 29:471.
.. [5] Siemonsen et al. 2009, Quantitative T2 values predict time from symptom onset in acute stroke patients,
   Stroke 40:1612.
.. [6] Damion et al. 2019, Quantifying T2 relaxation time changes within lesions defined by apparent diffusion
   coefficient in gray and white matter in acute stroke patients, Physics in Medicine and Biology 64:095016.
.. [7] Rohrer et al. 2005, Comparison of magnetic properties of MRI contrast media solutions at different
   magnetic field strengths, Investigative Radiology 40:715.
.. [8] Bottomley et al. 1987, A review of 1H nuclear magnetic resonance relaxation in pathology: are T1 and T2
   diagnostic?, Medical Physics 14:1.
"""

from typing import NamedTuple

import numpy as np

R1, R2 = 4.1, 4.6  # relaxivities, per mM per s


class Tissue(NamedTuple):
    """What the signal of a tissue depends on."""

    t1: float  # ms
    t2: float  # ms
    density: float  # protons, relative to CSF
    diffusivity: float  # 1e-3 mm^2/s
    gadolinium: float = 0.0  # mM in the tissue after injection
    lipid: float = 0.0  # part of the signal that fat saturation removes


MATERIALS = {
    "white_matter": Tissue(500, 70, 0.77, 0.70),
    "gray_matter": Tissue(833, 83, 0.86, 0.89),
    "csf": Tissue(2569, 329, 1.0, 3.0),
    "blood": Tissue(1441, 40, 0.8, 3.0, gadolinium=0.8),
    "choroid": Tissue(1000, 85, 0.9, 1.5, gadolinium=0.5),
    "vitreous": Tissue(2569, 329, 1.0, 3.0),
    "fat": Tissue(350, 70, 1.0, 0.1, lipid=1.0),
    "marrow": Tissue(350, 70, 0.45, 0.1, lipid=1.0),
    "bone": Tissue(1000, 1, 0.05, 0.1),
    "muscle": Tissue(900, 47, 1.0, 1.2, gadolinium=0.05),
    "tumor": Tissue(1000, 115, 0.88, 0.96, gadolinium=0.5),
    "necrosis": Tissue(1900, 220, 0.95, 2.0),
    "edema": Tissue(900, 120, 0.87, 1.4),
    "gliosis": Tissue(900, 115, 0.85, 1.2),
    "infarct": Tissue(1000, 115, 0.88, 0.45),
    "plaque": Tissue(752, 237, 0.76, 1.0),
}

_DISEASED = ("tumor", "necrosis", "edema", "gliosis", "infarct", "plaque")


def draw_materials(rng):
    """The materials of one subject: T1, T2 and diffusivity spread by 3 % (diseased: 8 %, agent: 25 %)."""
    return {
        name: _vary(tissue, 0.08 if name in _DISEASED else 0.03, rng) for name, tissue in MATERIALS.items()
    }


def _vary(tissue, spread, rng):
    t1, t2, diffusivity = np.exp(spread * rng.standard_normal(3))
    gadolinium = np.exp(0.25 * rng.standard_normal())
    return tissue._replace(
        t1=tissue.t1 * t1,
        t2=tissue.t2 * t2,
        diffusivity=tissue.diffusivity * diffusivity,
        gadolinium=tissue.gadolinium * gadolinium,
    )


def spin_echo(tissue, *, tr, te):
    """Magnitude of a spin echo, PD (1 - exp(-TR/T1)) exp(-TE/T2); times in ms."""
    return tissue.density * (1 - np.exp(-tr / tissue.t1)) * np.exp(-te / tissue.t2)


def inversion_recovery(tissue, *, tr, te, ti):
    """Magnitude of an inversion-recovery spin echo, PD |1 - 2 exp(-TI/T1) + exp(-TR/T1)| exp(-TE/T2)."""
    recovered = 1 - 2 * np.exp(-ti / tissue.t1) + np.exp(-tr / tissue.t1)
    return tissue.density * np.abs(recovered) * np.exp(-te / tissue.t2)


def nulling_time(t1, tr):
    """Inversion time (ms) at which a tissue of this T1 gives no signal: T1 ln(2 / (1 + exp(-TR/T1)))."""
    return t1 * np.log(2 / (1 + np.exp(-tr / t1)))


def enhanced(tissue):
    """The tissue after injection: 1/T = 1/T0 + relaxivity x concentration."""
    t1 = 1 / (1 / tissue.t1 + R1 * tissue.gadolinium / 1000)
    t2 = 1 / (1 / tissue.t2 + R2 * tissue.gadolinium / 1000)
    return tissue._replace(t1=t1, t2=t2)


def _t1w(tissue):
    return spin_echo(tissue, tr=500, te=10)


def _flair(tissue):
    ti = nulling_time(MATERIALS["csf"].t1, tr=9000)
    return inversion_recovery(tissue, tr=9000, te=120, ti=ti)


def _dwi(tissue):
    # b = 1000 s/mm^2 makes the exponent the diffusivity in 1e-3 mm^2/s; clinical DWI is fat-saturated.
    return spin_echo(tissue, tr=6000, te=90) * np.exp(-tissue.diffusivity) * (1 - tissue.lipid)


SEQUENCES = {
    "T1w": _t1w,
    "ce-gadolinium_T1w": lambda tissue: _t1w(enhanced(tissue)),
    "T2w": lambda tissue: spin_echo(tissue, tr=4000, te=100),
    "FLAIR": _flair,
    "dwi": _dwi,
}


def rician(signal, sigma, rng):
    """Magnitude of the signal plus complex Gaussian noise of standard deviation `sigma` per channel."""
    noise = rng.standard_normal((2, *signal.shape), dtype=np.float32) * np.float32(sigma)
    return np.hypot(signal + noise[0], noise[1])
