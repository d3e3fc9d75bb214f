"""What every command owes its user: help that fits a screen, the nearest word, completion, JSON."""

import json
import shutil
import subprocess
import sys

import pytest

from skad.cli.arguments import COMMANDS
from skad.cli.main import parser
from skad.cli.parser import SHELLS, shtab
from skad.persistence import load
from skad.version import __version__


@pytest.fixture
def maps(detector, cohort, tmp_path, run):
    """Maps of the cohort."""
    assert run("score", detector, cohort, "--out", tmp_path / "maps", "--no-figures", "--no-report")[0] == 0
    return tmp_path / "maps"


@pytest.mark.parametrize("columns", [80, 100, 300])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_screen_and_shows_an_example(command, columns, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = run(*command.split(), "--help")
    lines = out.splitlines()
    assert code == 0 and f"  skad {command}" in out.partition("\nexample")[2]
    assert columns < 100 or len(lines) <= 45
    assert max(map(len, lines)) <= min(columns, 100)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_the_help_are_commands_that_parse(command):
    for example in COMMANDS[command].examples:
        assert parser().parse_args(example.split()[1:]).command == command


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("scor a b", "skad: There is no command 'scor': did you mean score?"),
        ("--versoin", "skad: There is no option --versoin: did you mean --version?"),
        ("fit a --metod adm --out b", "skad fit: There is no option --metod: did you mean --method?"),
        ("fit a --method=adm --outt=b", "skad fit: There is no option --outt: did you mean --out?"),
        ("fit a --method adn --out b", "skad fit: argument --method: There is no method 'adn': did you mean adm?"),  # noqa: E501
        ("demo --size tny --out b", "skad demo: argument --size: There is no size 'tny': did you mean tiny?"),
        ("demo --0000", "skad demo: There is no option --0000; see `skad demo --help`."),
        ("demo", "skad demo: the following arguments are required: --out; see `skad demo --help`."),
    ],
)  # fmt: skip
def test_a_misspelled_word_is_answered_with_the_nearest_one(line, message, run):
    assert run(*line.split()) == (2, "", [message])


def test_a_misspelled_contrast_is_answered_with_the_nearest_one(cohort, tmp_path, run, fast):
    arguments = ("fit", cohort, "--method", "adm", "--out", tmp_path / "x", *fast, "--contrasts")
    assert run(*arguments, "flair", "T1w")[2][0].endswith("did you mean FLAIR?")
    assert run(*arguments, "T1w", "T2w")[2][0].endswith("choose other contrasts.")  # another, no misspelling


@pytest.mark.parametrize(("condition", "meant"), [("flod=train", "fold"), ("fold=trian", "train")])
def test_a_misspelled_column_or_value_is_answered_with_the_nearest_one(
    condition, meant, tmp_path, write_cohort, run
):
    folder = write_cohort(tmp_path / "in", 1)
    (folder / "participants.tsv").write_text("participant_id\tfold\nsub-01\ttrain\n")
    _, _, err = run("fit", folder, "--method", "adm", "--out", tmp_path / "x", "--where", condition)
    assert err[0].endswith(f"did you mean {meant}?")


def test_an_abbreviated_option_is_understood(tmp_path, run):
    assert run("demo", "--si", "tny", "--out", tmp_path)[2][0].endswith("did you mean tiny?")


@pytest.mark.skipif(shtab is None, reason="no shtab")
@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_every_command(shell, run):
    code, out, _ = run("--print-completion", shell)
    assert code == 0 and all(command in out for command in COMMANDS)


@pytest.mark.skipif(shtab is None or shutil.which("bash") is None, reason="no shtab or no bash")
def test_bash_completes_commands_options_and_values(run):
    script = run("--print-completion", "bash")[1]

    def offered(*words):
        typed = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}"
        ask = f"{typed}; _shtab_skad skad '{words[-1]}' '{words[-2]}'; echo ${{COMPREPLY[@]}}"
        return subprocess.run(
            ["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True
        ).stdout.split()

    assert offered("skad", "sc") == ["score"]
    assert offered("skad", "fit", "--me") == ["--method"]
    assert offered("skad", "demo", "--size", "t") == ["tiny"]


def test_completion_without_shtab_says_what_to_install(run, monkeypatch):
    monkeypatch.setattr("skad.cli.parser.shtab", None)
    code, _, err = run("--print-completion", "bash")
    assert code == 2
    assert err == ['skad: --print-completion needs shtab: `pip install "skad[completion]"`.']


def test_the_package_runs_as_a_module():
    run = subprocess.run([sys.executable, "-m", "skad", "--version"], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, f"skad {__version__}\n")


def test_json_of_evaluate_holds_the_table_and_nothing_else_is_on_standard_output(maps, cohort, run):
    code, out, err = run("evaluate", maps, cohort, "--no-report", "--json")
    result = json.loads(out)
    assert (code, result["command"], result["exit_code"]) == (0, "evaluate", 0)
    (table,) = [rows for path, rows in result["tables"].items() if path.endswith("evaluation.csv")]
    assert {row["subject"] for row in table} == {"sub-01", "sub-02", "sub-03", "mean", "sd", "pooled"}
    assert all(0 <= row["roc_auc"] <= 1 for row in table if row["subject"] == "pooled")
    assert any(line.startswith("3 subjects") for line in err)


def test_json_of_fit_and_calibrate_tells_what_was_learned(cohort, detector, tmp_path, run, fast):
    out = tmp_path / "adm.skad"
    fitted = json.loads(run("fit", cohort, "--method", "adm", "--out", out, *fast, "--json")[1])
    assert (fitted["detector"], fitted["contrasts"]) == (out.as_posix(), ["FLAIR", "T1w"])
    assert fitted["n_slices"] == load(detector).n_slices_
    arguments = ("calibrate", out, cohort, "--out", tmp_path / "c.skad", "--fpr", 0.5, "--json")
    code, printed, _ = run(*arguments)
    assert code == json.loads(printed)["exit_code"] == 2  # these subjects have lesions


def test_json_tells_the_errors_of_subjects_and_the_exit_code(detector, tmp_path, write_cohort, run):
    folder = write_cohort(tmp_path / "in", 2)
    path = folder / "sub-02/anat/sub-02_T1w.nii.gz"
    path.write_bytes(path.read_bytes()[:-200])
    code, out, _ = run(
        "score", detector, folder, "--out", tmp_path / "maps", "--no-figures", "--no-report", "--json"
    )
    result = json.loads(out)
    assert (code, result["exit_code"]) == (1, 1)
    assert "is damaged" in result["errors"]["sub-02"]
    assert [row["subject"] for row in result["tables"][(tmp_path / "maps/scores.csv").as_posix()]] == [
        "sub-01",
        "sub-02",
    ]


def test_json_of_a_mistake_is_an_object_too(tmp_path, run):
    code, out, err = run("evaluate", tmp_path, tmp_path, "--json")
    result = json.loads(out)
    assert (code, result["exit_code"]) == (2, 2)
    assert err == [f"skad evaluate: {result['error']}"]


def test_nothing_of_one_run_is_in_the_json_of_the_next(tmp_path, run):
    first, second = (json.loads(run("evaluate", tmp_path / name, tmp_path, "--json")[1]) for name in "ab")
    assert first["error"] != second["error"] and first.keys() == second.keys()
