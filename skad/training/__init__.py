"""The one door to randomness, devices, precision and skorch."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.training.checkpoint import CheckpointMismatchError, DamagedCheckpointError, checkpoint_in
    from skad.training.descriptions import describe_training
    from skad.training.device import autocast, resolve_device, resolve_precision
    from skad.training.inference import map_slices, visit_slices
    from skad.training.loop import DivergenceError
    from skad.training.monitors import monitored
    from skad.training.parallel import merged, own_share
    from skad.training.randomness import seeded
    from skad.training.run import Run
    from skad.training.training import TRAINING_CONSTRAINTS, Training
    from skad.training.warm_start import start_module
    from skad.utils.ranks import is_main_process
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "TRAINING_CONSTRAINTS",
    "CheckpointMismatchError",
    "DamagedCheckpointError",
    "DivergenceError",
    "Run",
    "Training",
    "autocast",
    "checkpoint_in",
    "describe_training",
    "is_main_process",
    "map_slices",
    "merged",
    "monitored",
    "own_share",
    "resolve_device",
    "resolve_precision",
    "seeded",
    "start_module",
    "visit_slices",
]
