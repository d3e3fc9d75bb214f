"""``skad benchmark``: a study from a file to tables."""

STUDY = """
seeds = [0]
[cohort]
loader = "phantom"
n_subjects = 4
shape = [16, 20, 10]
random_state = 0
folds = { train = 2, test = 2 }
[preprocessing]
size = [16, 12]
[methods]
FLAIR = { class = "IntensityScorer", contrast = 1 }
"T1w, dark" = { class = "IntensityScorer", sign = -1 }
"""


def test_a_study_becomes_tables_method_by_method(run, tmp_path):
    path = tmp_path / "brains.toml"
    path.write_text(STUDY)
    code, told, errors = run("benchmark", path, "--out", tmp_path / "out", "--only", "FLAIR")
    assert (code, errors) == (0, []) and "FLAIR, seed 0, on brains: done" in told
    assert "T1w" not in (tmp_path / "out" / "tables.md").read_text()
    code, told, errors = run("benchmark", path, "--out", tmp_path / "out")
    assert code == 0 and "FLAIR" not in told and "T1w, dark, seed 0, on brains: done" in told
    text = (tmp_path / "out" / "tables.md").read_text()
    assert "| FLAIR | 1 |" in text and "| T1w, dark | 1 |" in text


def test_mistakes_are_told_in_one_line(run, tmp_path):
    path = tmp_path / "brains.toml"
    path.write_text(STUDY)
    out = tmp_path / "out"
    code, _, errors = run("benchmark", path, "--out", out, "--only", "FLIAR")
    assert code == 2 and len(errors) == 1 and "'FLIAR': did you mean FLAIR?" in errors[0]
    code, _, errors = run("benchmark", path, "--out", out, "--jobs", 0)
    assert code == 2 and len(errors) == 1 and "--jobs should be at least 1, got 0" in errors[0]
    path.write_text(STUDY.replace("contrast = 1", "contrast = 7"))
    code, _, errors = run("benchmark", path, "--out", out)
    assert code == 1 and len(errors) == 1 and "contrast=7 is out of range: X has 3" in errors[0]
    path.write_text(STUDY.replace('"phantom"', '"bids"'))
    code, _, errors = run("benchmark", path, "--out", out)
    assert (
        code == 2
        and len(errors) == 1
        and errors[0].startswith("skad benchmark: ")
        and "brains.toml" in errors[0]
    )
