"""The version, and what files of skad say they were made by; readable without importing anything else."""

__version__ = "0.1.0"

GENERATED_BY = [
    {"Name": "skad", "Version": __version__, "CodeURL": "https://github.com/skad-developers/skad"}
]
