"""Run a study: cohorts x methods x seeds, each training in its own process; what is finished is kept."""

from joblib import Parallel, delayed

from skad.benchmark.gathering import gather
from skad.benchmark.layout import Layout, Step, cost_of, is_done, mark_done
from skad.benchmark.process import in_own_process
from skad.benchmark.slices import write_cohort
from skad.benchmark.stages import fit_reference, score_method
from skad.mixture import SingularCovarianceError
from skad.training import DivergenceError
from skad.utils.names import check_name

_ENDS = (SingularCovarianceError, DivergenceError)  # a training's own end, the same in every repetition


def run_study(study, out, *, jobs=1, only=None, tell=print):
    """Run what of a study is not finished yet, and gather its results.

    Parameters
    ----------
    study : Study
    out : path-like
        Folder for the results; ``work`` in it holds the finished and the interrupted steps.
    jobs : int, default=1
        Trainings at the same time.
    only : sequence of str, default=None
        Methods to run; None runs all. What others have finished is gathered all the same.
    tell : callable, default=print
        Given a line when a step ends.

    Returns
    -------
    dict of str to Exception
        Runs that failed; the others are finished.

    Raises
    ------
    ValueError
        An unknown method, or a cohort that cannot be made.
    """
    layout = Layout(study, out)
    methods = [check_name(name, study.methods, "method") for name in only or study.methods]
    cohorts = [name for name, cohort in study.cohorts.items() if cohort.trained_on is None]
    for cohort in cohorts:
        _prepare(layout, cohort, tell)
    runs = [Step(c, n, s, True) for c in cohorts for n in study.methods for s in study.methods[n].seeds]
    chosen = [step for step in runs if step.name in methods]
    errors = {}
    for wave in _waves(layout, chosen):
        errors |= _run_all(layout, wave, jobs, tell)
    gather(layout, runs, errors)
    return {str(step): error for step, error in errors.items()}


def _waves(layout, runs):
    """Steps in groups, of which each needs only those before it."""
    steps, todo = dict.fromkeys(runs), list(runs)
    while todo:
        needed = layout.needed(todo.pop()).values()
        steps |= dict.fromkeys(needed)
        todo += needed
    for names in layout.study.waves():
        yield sorted((step for step in steps if step.name in names), key=str)


def _prepare(layout, cohort, tell):
    """Write the slices of a cohort, if that is not done."""
    folder = layout.cohort_folder(cohort)
    if not is_done(folder):
        folder.mkdir(parents=True, exist_ok=True)
        in_own_process(write_cohort, layout.study, cohort, folder, threads=layout.study.threads)
        mark_done(folder, {})
        tell(f"{cohort}: slices prepared")


def _run_all(layout, steps, jobs, tell):
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
    folder = layout.folder(step)
    folder.mkdir(parents=True, exist_ok=True)
    arguments = (layout.component(step), step.seed, layout.cohort_folder(step.cohort), needed, folder)
    threads = layout.study.threads
    try:
        if step.is_method:
            size_step = layout.study.lesion_size_step
            cost, gigabytes = in_own_process(
                score_method, *arguments, size_step, layout.study.is_needed(step.name), threads=threads
            )
        else:
            cost, gigabytes = in_own_process(fit_reference, *arguments, threads=threads)
    except _ENDS as error:
        return {"stopped": " ".join(str(error).split())}
    return cost | {"gigabytes": gigabytes}


def _in_words(outcome):
    if isinstance(outcome, Exception):
        return f"failed, {outcome}"
    if "stopped" in outcome:
        return f"stopped, {outcome['stopped']}"
    return f"collapsed, {outcome['collapsed']}" if outcome["collapsed"] else "done"
