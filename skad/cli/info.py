"""``skad info``: what a detector's file holds."""

from skad.cli.terminal import record, say
from skad.composition import fitted_steps
from skad.detector_file import describe_file, load_detector


def info(detector):
    """Show what a detector is, what it was made from, and its parameters."""
    facts = describe_file(detector)
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        say(f"{name + ':':<{width}}{value}")
    steps = fitted_steps(load_detector(detector)[0])
    parameters = {name: step.get_params(deep=False) for name, step in steps.items()}
    for name, step in steps.items():
        say(f"{name}: {type(step).__name__}")
        for key, value in parameters[name].items():
            say(f"  {key} = {value!r}")
    record(**{name.replace(" ", "_"): value for name, value in facts.items()}, parameters=parameters)
    return 0
