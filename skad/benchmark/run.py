"""Run a study: cohorts x methods x seeds, each training in its own process; what is finished is kept."""

import time
from collections.abc import Callable, Sequence
from os import PathLike

from joblib import Parallel, delayed

from skad.benchmark.calibration import check_calibration
from skad.benchmark.fidelity import write_segmenter
from skad.benchmark.gathering import Gathered, gather
from skad.benchmark.layout import Layout, Step, cost_of, is_done, mark_done
from skad.benchmark.pictures import write_pictures
from skad.benchmark.process import in_own_process
from skad.benchmark.slices import CohortSlices
from skad.benchmark.slicing import write_cohort
from skad.benchmark.stages import fit_reference, score_method
from skad.benchmark.study import Study
from skad.benchmark.tuning import choose, trial_steps
from skad.mixture import SingularCovarianceError
from skad.training import DivergenceError
from skad.utils.names import check_name

_PATIENCE = 60  # seconds between two tables of what is finished: a run that is cut off leaves them
_ENDS = (SingularCovarianceError, DivergenceError)  # a training's own end, the same in every repetition


def run_study(
    study: Study,
    out: str | PathLike[str],
    *,
    jobs: int = 1,
    only: Sequence[str] | None = None,
    tell: Callable[[str], object] = print,
) -> dict[str, Exception]:
    """Run the unfinished steps of a study and write its results.

    Parameters
    ----------
    study : Study
        From :func:`read_study` or :func:`parse_study`.
    out : path-like
        Folder for the results; its subfolder ``work`` holds finished and interrupted steps.
    jobs : int, default=1
        Number of trainings that run at the same time.
    only : sequence of str, default=None
        Methods to run; None runs all. Finished steps of other methods are included in the results.
    tell : callable, default=print
        Called with a line of text when a step ends.

    Returns
    -------
    dict of str to Exception
        Runs that failed, by name; all others are finished.

    Raises
    ------
    ValueError
        An unknown method, or a cohort that cannot be made.

    See Also
    --------
    skad.benchmark.write_tables : Tables of the results.
    skad.benchmark.write_figures : Figures of the results.

    Examples
    --------
    >>> import tempfile
    >>> from skad.benchmark import parse_study, run_study
    >>> study = parse_study(
    ...     {
    ...         "seeds": [0],
    ...         "cohort": {
    ...             "loader": "phantom",
    ...             "n_subjects": 4,
    ...             "shape": [16, 20, 8],
    ...             "random_state": 0,
    ...             "folds": {"train": 2, "test": 2},
    ...         },
    ...         "preprocessing": {"size": [16, 12]},
    ...         "methods": {"FLAIR": {"class": "IntensityScorer", "contrast": 1}},
    ...     }
    ... )
    >>> folder = tempfile.mkdtemp()
    >>> run_study(study, folder, tell=lambda line: None)  # no run failed
    {}
    """
    methods = [check_name(name, study.methods, "method") for name in only or study.methods]
    gathered, errors = list[Gathered](), dict[Step, Exception]()
    for cohort in study.trained:
        layout, tried, failed = Layout(study, out), [], {}
        _prepare(layout, cohort, tell)
        if study.candidates:
            chosen, tried, failed = _tune(layout, cohort, methods, jobs, tell)
            layout = Layout(study.with_chosen(chosen), out)
        steps = [Step(cohort, n, s, True) for n, m in layout.study.methods.items() for s in m.seeds]
        gathered.append(Gathered(layout, steps, failed, tried))
        wanted = [step for step in steps if step.name in methods]
        failed |= _run_waves(layout, wanted, jobs, tell, _now_and_then(gather, out, gathered))
        errors |= failed
        if study.judging.pictures:
            write_pictures(layout, cohort)
    gather(out, gathered)
    return {str(step): error for step, error in errors.items()}


def _now_and_then(function, *arguments):
    """Call a function, but not sooner than a minute after the last time."""
    last = time.monotonic()

    def call():
        nonlocal last
        if time.monotonic() - last > _PATIENCE:
            function(*arguments)
            last = time.monotonic()

    return call


def _tune(layout, cohort, methods, jobs, tell):
    """The chosen candidate of every method, the rows of all that were tried, and errors by step."""
    study = layout.study
    trying = Layout(study.trials(), layout.out)
    trials = trial_steps(study, [name for name in study.candidates if name in methods], cohort)
    errors = _run_waves(trying, [step for step, *_ in trials], jobs, tell)
    return *choose(trying, trials), errors


def _run_waves(layout, runs, jobs, tell, after_step=lambda: None):
    """Run steps and what they need; the errors of those that failed."""
    steps, todo = dict.fromkeys(runs), list(runs)
    while todo:
        needed = layout.needed(todo.pop()).values()
        steps |= dict.fromkeys(needed)
        todo += needed
    errors = {}
    for names in layout.study.waves():
        wave = sorted((step for step in steps if step.name in names), key=str)
        errors |= _run_all(layout, wave, jobs, tell, after_step)
    return errors


def _prepare(layout, cohort, tell):
    """Write the slices of a cohort, and the network that judges its references, if that is not done."""
    folder, threads = layout.cohort_folder(cohort), layout.study.threads
    if not is_done(folder):
        folder.mkdir(parents=True, exist_ok=True)
        in_own_process(write_cohort, layout.study, cohort, folder, threads=threads)
        mark_done(folder, {})
        tell(f"{cohort}: slices prepared")
    if (calibration := layout.study.judging.calibration) is not None:
        slices = CohortSlices(folder)
        check_calibration(calibration, slices.y("test"), slices.patients("test"))
    if layout.study.fidelity is not None and not is_done(judge := layout.segmenter_folder(cohort)):
        judge.mkdir(parents=True, exist_ok=True)
        table = layout.study.fidelity["segmenter"]
        in_own_process(write_segmenter, table, CohortSlices(folder), judge, threads=threads)
        mark_done(judge, {})
        tell(f"{cohort}: segmentation network trained")


def _run_all(layout, steps, jobs, tell, after_step):
    """Run steps that do not need each other; the errors of those that failed, by step."""
    todo = [step for step in steps if not is_done(layout.folder(step))]
    errors = {}
    outcomes = Parallel(jobs, prefer="threads", return_as="generator_unordered")(
        delayed(_run)(layout, step) for step in todo
    )
    for step, outcome in outcomes:
        if isinstance(outcome, Exception):
            errors[step] = outcome
        tell(f"{step}: {_in_words(outcome)}")
        after_step()
    return errors


def _run(layout, step):
    """The step and its cost or, where it failed, its error: the other steps go on."""
    try:
        cost = _work(layout, step)
        mark_done(layout.folder(step), cost)
    except Exception as error:
        return step, error
    return step, cost


def _work(layout, step):
    """Fit in a process of its own; a training's own end (a singular covariance) is a result, too."""
    needed = {name: layout.folder(each) for name, each in layout.needed(step).items()}
    for name, path in needed.items():
        if not is_done(path):
            raise ValueError(f"{name!r}, which it needs, failed.")
        if "stopped" in (cost := cost_of(path)):
            return {"stopped": f"{name}, which it needs, {cost['stopped']}"}
    folder, study = layout.folder(step), layout.study
    folder.mkdir(parents=True, exist_ok=True)
    arguments = (layout.component(step), step.seed, layout.cohort_folder(step.cohort), needed, folder)
    if step.is_method:
        function, more = score_method, (study.judging, study.is_needed(step.name))
    else:
        segmenter = None if study.fidelity is None else layout.segmenter_folder(step.cohort)
        function, more = fit_reference, (segmenter,)
    try:
        cost, gigabytes = in_own_process(function, *arguments, *more, threads=study.threads)
    except _ENDS as error:
        return {"stopped": " ".join(str(error).split())}
    return cost | {"gigabytes": gigabytes}


def _in_words(outcome):
    if isinstance(outcome, Exception):
        return f"failed, {outcome}"
    if "stopped" in outcome:
        return f"stopped, {outcome['stopped']}"
    return f"collapsed, {outcome['collapsed']}" if outcome["collapsed"] else "done"
