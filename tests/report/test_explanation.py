"""Figures and sentences of what tells the states apart."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from gdynet_tf import analysis as ga
from gdynet_tf.analysis.runs import load_explanation
from gdynet_tf.errors import InputError
from gdynet_tf.report.explanation import explanation_findings
from gdynet_tf.report.figures import draw_figures
from gdynet_tf.report.figures.explanation import EXPLANATION

TOLD = {
    "center": "Li",
    "neighbor": "S",
    "first_rank": 2,
    "last_rank": 2,
    "from": 2.4,
    "to": 2.9,
    "in_state": 2.41,
    "elsewhere": 2.9,
    "accounted": 0.94,
    "sensitivity": 0.97,
}


def explanation(n_states, told_by):
    """Tables as `Explanation.to_dict` gives them: two elements, two ranks, one empty place."""
    grid = [
        {"state": s, "center": "Li", "neighbor": e, "rank": r} for s in range(n_states) for e in "SO" for r in (1, 2)
    ]
    rng = np.random.default_rng(0)

    def columns(rows):
        return {name: [row[name] for row in rows] for name in rows[0]}

    attention = [{"convolution": c, **row, "attention": rng.random()} for c in (1, 2) for row in grid]
    attention[0]["attention"] = None  # a state that never has this neighbour
    gradients = [
        {**row, "shell_from": r, "shell_to": r + 0.1, "n_pairs": 20, "gradient": rng.normal(), "modulus": 1.0}
        for row in grid
        for r in (2.0, 2.1, 2.2)
    ]
    sensitivities = [{**row, "distance": 2.0, "sensitivity": 0.25} for row in grid]
    return {
        "attention": columns(attention),
        "gradients": columns(gradients),
        "sensitivities": columns(sensitivities),
        "told_by": told_by,
        "n_samples": 400,
        "own_share": 0.9,
    }


def run_with(path, content):
    path.mkdir(exist_ok=True)
    (path / "explanation.json").write_text(json.dumps(content))
    return ga.Run(path, {}, {})


def test_sentences(tmp_path):
    several = {**TOLD, "first_rank": 5, "last_rank": 6}
    found = explanation_findings(run_with(tmp_path, explanation(3, [TOLD, None, several])))
    assert [str(finding) for finding in found] == [
        "State 0 is told by the 2nd nearest S of Li at 2.4–2.9 Å: its distance is 2.41 Å on average in this state and "
        "2.90 Å elsewhere, and accounts by itself for 94 % of the variance of the state's probability.",
        "State 2 is told by the 5th and 6th nearest S of Li at 2.4–2.9 Å: their mean distance is 2.41 Å on average in "
        "this state and 2.90 Å elsewhere, and accounts by itself for 94 % of the variance of the state's probability.",
    ]
    assert (found[1].kind, found[1].severity, found[1].numbers["state"]) == ("told by distances", "note", 2)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(1, 1, "the nearest S"), (3, 3, "the 3rd nearest"), (1, 4, "the 4 nearest"), (11, 13, "the 11th to 13th nearest")],
)
def test_ranks_in_words(tmp_path, first, last, words):
    told = {**TOLD, "first_rank": first, "last_rank": last}
    (finding,) = explanation_findings(run_with(tmp_path, explanation(3, [told, None, None])))
    assert words in finding.text


def test_no_interval_where_none_was_seen(tmp_path):
    told = {**TOLD, "from": None, "to": None}
    (finding,) = explanation_findings(run_with(tmp_path, explanation(3, [told, None, None])))
    assert finding.text.startswith("State 0 is told by the 2nd nearest S of Li: its distance is 2.41 Å")


def test_two_states_are_told_by_the_same(tmp_path):
    (finding,) = explanation_findings(run_with(tmp_path, explanation(2, [TOLD, TOLD])))
    assert finding.numbers["state"] == 1


def test_figures(tmp_path):
    run = run_with(tmp_path, explanation(3, [TOLD, None, None]))
    drawn = list(draw_figures(EXPLANATION, SimpleNamespace(run=run), tmp_path))
    assert [figure.name for figure in drawn] == ["distance_sensitivities", "distance_gradients", "attention"]
    assert "State 0 is told by the 2nd nearest S of Li at 2.4–2.9 Å" in drawn[0].caption
    assert "400 targets and frames" in drawn[0].caption
    assert "90 % of the derivatives" in drawn[1].caption
    assert drawn[2].table.read_text().splitlines()[0] == "convolution,state,center,neighbor,rank,attention"
    run_with(tmp_path, explanation(2, [None, None]))
    assert "No few neighbours stand out" in EXPLANATION[0].caption(SimpleNamespace(run=run), load_explanation(run.path))


def test_runs_without_it_and_damaged_ones(tmp_path):
    run = ga.Run(tmp_path, {}, {})
    assert explanation_findings(run) == []
    assert list(draw_figures(EXPLANATION, SimpleNamespace(run=run), tmp_path)) == []
    (tmp_path / "explanation.json").write_text("{")
    with pytest.raises(InputError, match=r"explanation\.json: cannot be read"):
        explanation_findings(run)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("attention", None, "attention: "),
        ("gradients", "x", "gradients: "),
        ("sensitivities", {}, "sensitivities.state: Field required"),
        ("sensitivities.state", [], "sensitivities.state: "),
        ("attention.rank", [1], "attention: rank: is no column of "),
        ("attention.odd", 3, "attention: odd: is no column of "),
        ("gradients.n_pairs.0", "many", "gradients.n_pairs.0: "),
        ("told_by", None, "told_by: "),
        ("told_by.0", {}, "told_by.0.center: Field required"),
        ("told_by.0.from", "near", "told_by.0.from: "),
        ("n_samples", "400", "n_samples: "),
        ("own_share", None, "own_share: "),
    ],
)
def test_edited(tmp_path, path, value, message):
    content = explanation(3, [dict(TOLD), None, None])
    *parents, last = [int(key) if key.isdecimal() else key for key in path.split(".")]
    place = content
    for key in parents:
        place = place[key]
    place[last] = value
    with pytest.raises(InputError) as caught:
        explanation_findings(run_with(tmp_path, content))
    assert str(caught.value).startswith(f"{tmp_path / 'explanation.json'}: altered, {message}")


def test_what_is_no_number_is_still_shown(tmp_path):
    content = explanation(3, [None, None, None])
    content["sensitivities"]["sensitivity"][0] = float("nan")
    assert explanation_findings(run_with(tmp_path, content)) == []
