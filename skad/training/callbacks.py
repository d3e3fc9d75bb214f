"""skorch callbacks in a training that may be resumed."""

import numpy as np
from skorch.callbacks import Callback, EarlyStopping, LRScheduler

# What skorch's callbacks learn during a training and need to go on with it.
_LEARNED = {
    EarlyStopping: ("misses_", "dynamic_threshold_", "best_epoch_", "best_model_weights_"),
    LRScheduler: ("batch_idx_", "lr_scheduler_"),
}


class EpochBounds(Callback):
    """Tells the net when all other callbacks are through with the start or the end of an epoch."""

    def on_epoch_begin(self, net, **kwargs):
        net.start_epoch()

    def on_batch_end(self, net, **kwargs):
        net.end_batch()

    def on_epoch_end(self, net, **kwargs):
        net.end_epoch()


def has_stopped(callbacks):
    """Whether a KeyboardInterrupt was skorch's way of stopping early, not the user's Ctrl-C."""
    return any(
        isinstance(callback, EarlyStopping) and getattr(callback, "misses_", 0) >= callback.patience
        for _, callback in callbacks
    )


def states_of(callbacks):
    """What early stopping and learning-rate schedules have learned, in types that torch reads back safely."""
    return {
        name: {attribute: _plain(getattr(callback, attribute)) for attribute in attributes}
        for name, callback in callbacks
        for kind, attributes in _LEARNED.items()
        if isinstance(callback, kind)
    }


def restore_states(callbacks, states):
    """Put back what :func:`states_of` returned."""
    for name, callback in callbacks:
        for attribute, value in states.get(name, {}).items():
            if hasattr(getattr(callback, attribute), "load_state_dict"):
                getattr(callback, attribute).load_state_dict(value)
            else:
                setattr(callback, attribute, value)


def _plain(value):
    """The state of a schedule; Python's numbers instead of numpy's."""
    if hasattr(value, "state_dict"):
        return {name: _plain(each) for name, each in value.state_dict().items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value
