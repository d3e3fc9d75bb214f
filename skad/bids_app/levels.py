"""The two levels of ``skad-bids``, and the exit codes of what may go wrong in them."""

from pathlib import Path

from skad.cli.evaluate import evaluate
from skad.cli.scans import inventory_of
from skad.cli.score import score
from skad.datasets import SelectionError
from skad.derivatives import Derivative
from skad.io import VolumeReadError, VolumeWriteError
from skad.persistence.files import LoadError
from skad.utils.files import WriteError
from skad.utils.locks import LockedError

FAILED, ALL_FAILED, USAGE = 1, 65, 64
# Of a kind of error and, as the first that fits counts, of none of the kinds above it.
_CODES = (
    (SelectionError, 18),
    (VolumeReadError, 16),
    (LockedError, 75),
    ((WriteError, VolumeWriteError), 73),
    (LoadError, ALL_FAILED),
    (FileNotFoundError, 66),
    (OSError, 74),
    (ValueError, USAGE),
)


def participant(bids_dir, output_dir, *, model, **options):
    """Write the maps of the participants, and nothing that belongs to all; parameters as in ``--help``.

    Maps that the same model has made are kept.

    Returns
    -------
    int
        0; 1 when some participants failed; 65 when all did.
    """
    _check_inputs(bids_dir, model)
    settings = _settings(**options)
    return _code(score(model, bids_dir, out=output_dir, **settings, report=False, tables=False))


def group(bids_dir, output_dir, *, model, **options):
    """Write tables and report of the participants' maps; parameters as in ``--help``.

    A participant without a map of this model is scored now. Where lesions are labeled, maps are evaluated.

    Returns
    -------
    int
        0; 1 when some participants failed; 65 when all did.
    """
    _check_inputs(bids_dir, model)
    settings = _settings(**options)
    labeled = any(scan.labels for scan in inventory_of(bids_dir, where=settings["where"]).scans)
    try:
        Derivative(output_dir)
    except ValueError as error:
        raise FileNotFoundError(f"{output_dir} holds no maps: run the level participant first.") from error
    code = score(model, bids_dir, out=output_dir, **settings, report=not labeled)
    if labeled and code < 2:
        code = max(code, evaluate(output_dir, bids_dir, size_step=200, report=True, where=settings["where"]))
    return _code(code)


def exit_code(error):
    """The exit code of an error, as the BIDS execution specification recommends."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def _check_inputs(bids_dir, model):
    if not Path(bids_dir).is_dir():
        raise FileNotFoundError(f"{bids_dir} is not a folder: give a BIDS dataset.")
    if not Path(model).is_file():
        raise FileNotFoundError(f"--model {model} does not exist: give a file of `skad fit`.")


def _settings(*, participant_label=None, session_label=None, where=(), skip_bids_validation=False, **options):
    """The parameters of `score`; maps that are whole are kept."""
    named = {"participant_id": participant_label, "session": session_label}
    selected = [*where, *((column, names) for column, names in named.items() if names)]
    return {"image": (), "figures": True, "resume": True, **options, "where": selected}


def _code(code):
    return ALL_FAILED if code == 2 else code
