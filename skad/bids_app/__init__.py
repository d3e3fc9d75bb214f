"""The BIDS App ``skad-bids``: the call, labels and exit codes that platforms for such apps expect."""

from skad.bids_app.main import main

__all__ = ["main"]
