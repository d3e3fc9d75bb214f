"""A folder of scans as they come -> a BIDS folder of scans that agree, and maps back again."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skad.datasets.bids_writing import BIDS_VERSION
from skad.derivatives.naming import ENDING, entities_of, map_name
from skad.io import Volume, save_image, to_image
from skad.io.nifti import open_nifti
from skad.io.volumes import name_of
from skad.io.writing import NiftiImage
from skad.plotting import plot_preparation, save_figure
from skad.preparation.bias import BiasCorrect
from skad.preparation.brain import BrainExtract
from skad.preparation.coregister import CoRegister
from skad.preparation.mni import RegisterToMNI
from skad.preparation.sources import Original
from skad.utils.files import sha256, write_json, written_whole
from skad.utils.messages import one_line
from skad.utils.progress import Progress
from skad.utils.typing import PathLike
from skad.utils.workers import run_each
from skad.version import GENERATED_BY

RECORD = "desc-preparation.json"  # of a subject; written last, so that it says that the subject is complete


@dataclass(frozen=True)
class Prepared:
    """Result of the preparation of one subject.

    Attributes
    ----------
    name : str
        Subject and, if there are several, session.
    record : pathlib.Path
        The JSON file with sources, motions and warnings.
    figure : pathlib.Path
        PNG with outlines of the brain mask and checkerboards of the contrasts.
    warnings : list of str
        Reasons to doubt the result.

    See Also
    --------
    skad.preparation.prepare_cohort : Yields it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from skad.preparation import Prepared
    >>> Prepared("sub-01", Path("record.json"), Path("figure.png"), warnings=[]).name
    'sub-01'
    """

    name: str
    record: Path
    figure: Path
    warnings: list


def make_preparation(
    to: str,
    *,
    brain: str = "deepbet",
    masks: PathLike | None = None,
    mni: float | None = None,
    bias: bool = True,
) -> Pipeline:
    """Make the usual pipeline: co-registration, brain mask, optional registration to MNI space, bias field.

    Parameters
    ----------
    to : str
        The contrast that the others are registered to.
    brain : {"deepbet", "template"}, default="deepbet"
        How masks are found, see :class:`BrainExtract`.
    masks : path-like, default=None
        Folder or pattern of your own masks, see :class:`BrainExtract`.
    mni : float, default=None
        Voxel size in mm of the images in MNI space; None leaves patients in their own space.
    bias : bool, default=True
        Whether to correct bias fields.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Volumes in, volumes out.

    See Also
    --------
    skad.preparation.prepare_cohort : Applies the pipeline to many subjects.
    skad.preprocessing.VolumePreprocessor : Slices of the prepared volumes.

    Examples
    --------
    >>> from skad.preparation import make_preparation
    >>> [name for name, step in make_preparation("FLAIR", mni=1.0).steps]
    ['coregister', 'brain', 'mni', 'bias']
    """
    steps = [("coregister", CoRegister(to)), ("brain", BrainExtract(method=brain, masks=masks))]
    if mni is not None:
        steps.append(("mni", RegisterToMNI(voxel_size=mni)))
    if bias:
        steps.append(("bias", BiasCorrect()))
    return Pipeline(steps)


def prepare_cohort(
    volumes: Iterable[Volume],
    out: PathLike,
    steps: Pipeline,
    *,
    n_jobs: int | None = None,
    resume: bool = False,
) -> Iterator[tuple[Volume, Prepared | Exception]]:
    """Prepare many subjects and write them as a BIDS dataset; a failing subject does not stop the others.

    Parameters
    ----------
    volumes : iterable of Volume
        Scans, read from files.
    out : path-like
        Folder for ``sub-*/anat/`` with the skull-stripped contrasts, the brain mask, labels where there are
        any, and the record that :func:`restore_map` reads; ``sub-*/figures/`` with a figure to check.
    steps : Pipeline
        Pipeline from :func:`make_preparation`, or your own.
    n_jobs : int or None, default=None
        Subjects prepared at the same time, as in scikit-learn.
    resume : bool, default=False
        Skip subjects that were prepared by the same steps from the same files.

    Yields
    ------
    volume : Volume
        The scan; with several jobs, subjects come as they are finished.
    result : Prepared or Exception
        What was written, or why the subject failed, for example because its process was killed.

    See Also
    --------
    skad.preparation.restore_map : Maps back on the original grids.
    skad.report.write_preparation_page : A page of all figures.

    Examples
    --------
    >>> from skad.datasets import load_bids
    >>> from skad.preparation import make_preparation, prepare_cohort
    >>> volumes = load_bids("data/clinical")  # doctest: +SKIP
    >>> steps = make_preparation("FLAIR")
    >>> for volume, result in prepare_cohort(volumes, "prepared", steps):  # doctest: +SKIP
    ...     print(volume.subject, result)
    """
    volumes, out = list(volumes), Path(out)
    prepare = partial(_prepare, out=out, steps=steps, resume=resume)
    with Progress("prepare", len(volumes)) as progress:
        for index, result in run_each(prepare, volumes, n_jobs=n_jobs):
            progress.step(f"{name_of(volumes[index])}: {_outcome(result)}")
            yield volumes[index], result


def restore_map(path: PathLike, prepared: PathLike) -> dict[str, NiftiImage]:
    """Resample a map of a prepared subject to the grid of each of its original scans.

    Parameters
    ----------
    path : path-like
        A map on the grid of a prepared subject, named ``sub-*_desc-anomaly_map.nii.gz``.
    prepared : path-like
        The folder that :func:`prepare_cohort` wrote.

    Returns
    -------
    dict of str to nibabel.Nifti1Image
        One image per contrast, with shape, affine and codes of its file, float32; NaN outside the map.

    Raises
    ------
    ValueError
        The subject was not prepared in that folder.

    See Also
    --------
    skad.preparation.to_originals : The same in memory.
    skad.preparation.prepare_cohort : Writes the folder.

    Examples
    --------
    >>> from skad.preparation import restore_map
    >>> path = "maps/sub-01/anat/sub-01_desc-anomaly_map.nii.gz"
    >>> images = restore_map(path, "prepared")  # doctest: +SKIP
    >>> images["T1w"].to_filename("on_T1w.nii.gz")  # doctest: +SKIP
    """
    path, prepared = Path(path), Path(prepared)
    entities = [part for part in path.name.split("_") if part.startswith(("sub-", "ses-"))]
    record = _record_path(prepared, entities)
    if not record.is_file():
        raise ValueError(f"{path} belongs to no subject of {prepared}: there is no {record}.")
    content = json.loads(record.read_text())
    image = open_nifti(path)
    voxels = np.asarray(image.load())
    originals = {name: _original(each, record.parent) for name, each in content["Contrasts"].items()}
    return {
        name: original.image(original.receive(voxels, image.affine), entities[0])
        for name, original in originals.items()
    }


def restore_maps(maps: PathLike, prepared: PathLike, out: PathLike) -> list[Path]:
    """Write the maps of prepared subjects on the grids of their original scans.

    Parameters
    ----------
    maps : path-like
        A folder of maps on the grids of prepared subjects.
    prepared : path-like
        The folder that :func:`prepare_cohort` wrote.
    out : path-like
        Gets ``sub-*/anat/sub-*_space-CONTRAST_desc-anomaly_map.nii.gz`` for every contrast.

    Returns
    -------
    list of pathlib.Path
        The files that were written.

    Raises
    ------
    ValueError
        There are no maps, or a map belongs to no prepared subject.

    See Also
    --------
    restore_map : One map, as images.

    Examples
    --------
    >>> from skad.preparation import restore_maps
    >>> restore_maps("nowhere", "prepared", "native")
    Traceback (most recent call last):
    ValueError: nowhere has no sub-*/anat/sub-*_desc-anomaly_map.nii.gz: give a folder of `skad score`.
    """
    maps = Path(maps)
    paths = sorted(maps.glob(f"sub-*/**/*_{ENDING}.nii.gz"))
    if not paths:
        raise ValueError(f"{maps} has no sub-*/anat/sub-*_{ENDING}.nii.gz: give a folder of `skad score`.")
    written = []
    for path in paths:
        for contrast, image in restore_map(path, prepared).items():
            space = contrast.replace("_", "").replace("-", "")
            name = f"{map_name(path)}_space-{space}_{ENDING}.nii.gz"
            written.append(Path(out) / path.parent.relative_to(maps) / name)
            save_image(image, written[-1])
    return written


def _original(content, folder):
    source = open_nifti(folder / content["Source"])
    return Original(source, source.affine, source.header, np.array(content["MotionToSource"]))


def _outcome(result):
    if isinstance(result, Exception):
        return f"failed: {one_line(result)}"
    return "; ".join(result.warnings) or "done"


def _prepare(volume, out, steps, resume):
    entities = entities_of(volume)
    record = _record_path(out, entities)
    asked = _asked(volume, steps)
    figure = record.parents[1] / "figures" / record.name.replace(".json", ".png")
    known = json.loads(record.read_text()) if resume and record.is_file() else {}
    if all(known.get(name) == value for name, value in asked.items()):
        return Prepared("_".join(entities), record, figure, known["Warnings"])
    record.unlink(missing_ok=True)  # from here on the subject is incomplete
    (prepared,) = clone(steps).fit_transform([volume])
    images = {name: prepared.contrasts[name] for name in prepared.contrasts}
    _write_images(prepared, images, record, entities)
    save_figure(plot_preparation(images, prepared.mask, prepared.affine), figure)
    warnings = list(prepared.info.get("warnings", ()))
    write_json(asked | _contents(prepared, record.parent) | {"Warnings": warnings}, record)
    return Prepared("_".join(entities), record, figure, warnings)


def _asked(volume, steps):
    """What a record must agree with for its subject to be complete: version, steps, content of files."""
    return {
        "GeneratedBy": GENERATED_BY,
        "Steps": {name: {k: str(v) for k, v in step.get_params().items()} for name, step in steps.steps},
        "SHA256": {name: sha256(path) for name, path in volume.info["paths"].items()},
    }


def _contents(volume, folder):
    """By contrast the original file and where its points are."""
    return {
        "Contrasts": {
            name: {
                "Source": os.path.relpath(volume.info["paths"][name], folder),
                "MotionToSource": original.motion.tolist(),
            }
            for name, original in volume.info["originals"].items()
        }
    }


def _write_images(volume, images, record, entities):
    space = [f"space-{volume.info['space']}"] if "space" in volume.info else []

    def path(*rest):
        return record.parent / ("_".join([*entities, *rest]) + ".nii.gz")

    for contrast, voxels in images.items():
        if not np.isnan(voxels).all():
            *named, suffix = contrast.split("_")
            stripped = np.where(volume.mask, np.nan_to_num(voxels), 0)
            save_image(to_image(stripped, volume), path(*named, *space, suffix))
    save_image(to_image(volume.mask, volume), path(*space, "label-brain", "mask"))
    if volume.has_labels:
        kind = "mask" if volume.labels.max() <= 1 else "dseg"
        save_image(to_image(volume.labels, volume), path(*space, "label-lesion", kind))


def describe_preparation(out: PathLike, volumes: Sequence[Volume]) -> None:
    """Write the description and the participants' columns that make a folder a BIDS dataset.

    Parameters
    ----------
    out : path-like
        The folder that :func:`prepare_cohort` wrote.
    volumes : sequence of Volume
        The volumes that were prepared; their `info` gives the columns.

    See Also
    --------
    skad.preparation.prepare_cohort : Writes the images.

    Examples
    --------
    >>> import os, tempfile
    >>> from skad.datasets import make_phantom
    >>> from skad.preparation import describe_preparation
    >>> out = tempfile.mkdtemp()
    >>> describe_preparation(out, make_phantom(1, shape=(16, 20, 8), random_state=0))
    >>> "dataset_description.json" in os.listdir(out)
    True
    """
    out = Path(out)
    description = {
        "Name": "Scans prepared by skad",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": GENERATED_BY,
    }
    write_json(description, out / "dataset_description.json")
    known = [{k: v for k, v in volume.info.items() if isinstance(v, str)} for volume in volumes]
    columns = ["participant_id", *dict.fromkeys(k for row in known for k in row if k != "participant_id")]
    rows = {entities_of(volume)[0]: row for volume, row in zip(volumes, known, strict=True)}
    lines = [
        columns,
        *([name, *(row.get(column, "n/a") for column in columns[1:])] for name, row in rows.items()),
    ]
    with written_whole(out / "participants.tsv") as temporary:
        temporary.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")


def _record_path(out, entities):
    return Path(out, *entities, "anat", "_".join([*entities, RECORD]))
