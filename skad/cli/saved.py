"""A run that was killed between saving its result and removing its checkpoints."""

import json
import shutil

from skad.utils.files import sha256, write_json

_MARK = "saved.json"


def mark_saved(out, folder):
    """Note in a folder of checkpoints that the file made from them is written."""
    write_json({"SHA256": sha256(out)}, folder / _MARK)


def is_saved(out, folder):
    """Whether the file made from a folder of checkpoints is written, so that the folder may go."""
    mark = folder / _MARK
    return mark.exists() and out.is_file() and json.loads(mark.read_text())["SHA256"] == sha256(out)


def tidy(folder):
    """Remove a folder of checkpoints, the note last."""
    for path in folder.iterdir():
        if path.name != _MARK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(folder)
