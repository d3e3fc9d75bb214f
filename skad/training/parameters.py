"""The training parameters every network estimator shares, and their domains."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions

TRAINING_CONSTRAINTS = {
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "device": [str],
    "precision": [StrOptions({"auto", "fp32", "bf16"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "callbacks": [list, tuple, None],
    "warm_start": ["boolean"],
}
