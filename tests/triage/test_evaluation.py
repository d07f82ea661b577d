"""Figures of quality, and what the command reads and refuses."""

import gzip
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from triage.evaluation import Answer, figures_of, metrics, tasks
from triage.evaluation.reading import read_records, read_taxonomy

TAXONOMY = [
    {"id": "leak", "name": "Leak", "description": "Water comes out.", "keywords": ["drips"]},
    {"id": "lid", "name": "Broken lid", "keywords": ["hinge"]},
]
ROWS = [
    {"text": "It leaks and drips", "topic": "leak"},
    {"subject": "Lid", "body": "The hinge snapped", "topic": "lid"},
    {"text": "Nothing to say", "topic": None},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "taxonomy.json").write_text(json.dumps(TAXONOMY))
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, ROWS)).encode()))
    return path


def evaluate(*arguments: Any) -> str:
    out = StringIO()
    call_command("evaluate", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_figures_agree_with_those_counted_by_hand() -> None:
    truths = ["a", "a", "a", "b"]
    answers = [Answer("a", 0.9), Answer("a", 0.8), Answer("b", 0.7), Answer("b", 0.6)]
    figures = figures_of(truths, answers)
    assert figures.accuracy == 0.75
    assert figures.macro_f1 == pytest.approx((4 / 5 + 2 / 3) / 2)
    # Each answer stands alone in its bin: 0.1, 0.2, 0.7 and 0.4 away from what it turned out to be.
    assert figures.ece == pytest.approx(1.4 / 4)
    assert figures.coverage == {"0.8": 0.5, "0.9": 0.5, "0.95": 0.5}
    assert figures.accuracy_at_coverage == {
        "0.5": 1.0,
        "0.6": pytest.approx(2 / 2.4),
        "0.8": pytest.approx((2 + 0.2) / 3.2),
    }


def test_answers_equally_sure_are_kept_together() -> None:
    rights, sure = [True, False, True, True], [0.5, 0.5, 0.5, 0.4]
    assert metrics.coverage_at_accuracy(rights, sure, least=0.7) == 1.0
    assert metrics.coverage_at_accuracy(rights, sure, least=0.8) == 0.0
    assert metrics.accuracy_at_coverage(rights, sure, share=0.25) == pytest.approx(2 / 3)


def test_a_confidence_of_one_is_in_the_last_bin() -> None:
    assert metrics.calibration_error([True, False], [1.0, 1.0]) == 0.5


@pytest.mark.django_db(databases=[])
def test_a_task_is_measured_without_any_table(data: Path) -> None:
    figures = json.loads(evaluate("topic", data, "--json"))
    assert (figures["task"], figures["n"], figures["accuracy"]) == ("topic", 2, 1.0)
    assert set(figures) >= {
        "macro_f1",
        "ece",
        "coverage",
        "accuracy_at_coverage",
        "items_per_second",
        "train_seconds",
        "model",
    }
    assert "accuracy" in evaluate("topic", data, "--limit", 1)


def test_what_cannot_be_measured_is_refused_in_a_sentence(data: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "fine", "topic": "leak"}\n[1]\n')
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(data.read_bytes()[:-20])
    for arguments, says in [
        (("topic", tmp_path / "none.jsonl"), "There is no file"),
        (("topic", bad), "Line 2 of bad.jsonl is not an object"),
        (("topic", broken), "broken.jsonl.gz cannot be read"),
        (("topic", data, "--label", "colour"), 'No row has a label in the field "colour"'),
        (("topic", data, "--taxonomy", bad), "bad.jsonl is not JSON"),
        (("topic", data, "--limit", 0), "--limit must be at least 1"),
    ]:
        with pytest.raises(CommandError, match=says):
            evaluate(*arguments)


def test_a_taxonomy_needs_ids_and_each_once(tmp_path: Path) -> None:
    path = tmp_path / "taxonomy.json"
    for listed, says in [
        ([], "must hold a list of topics"),
        ([{"name": "x"}], 'has no "id"'),
        ([{"id": "x", "keywords": "y"}], "are no list"),
        ([{"id": "x"}, {"id": "x"}], "same slug"),
    ]:
        path.write_text(json.dumps(listed))
        with pytest.raises(Exception, match=says):
            read_taxonomy(path)
    path.write_text(json.dumps([{"id": "late_flight"}]))
    assert read_taxonomy(path).topics[0].name == "late flight"


def test_a_line_beyond_the_bound_is_refused_before_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b"x" * 3_000_000))
    with pytest.raises(Exception, match="Line 1 of bomb"):
        read_records(path)


def test_every_task_names_its_label() -> None:
    assert {"topic"} <= {task.slug for task in tasks.all()}
    assert all(task.label for task in tasks.all())


def test_what_was_taught_and_where_teams_are_the_labels(tmp_path: Path, data: Path) -> None:
    said = {"quality": "a puddle under it", "shop": "the till took too much"}
    taxonomy = [{"id": "wet", "name": "Puddles", "team": "quality"}, {"id": "till", "name": "Till", "team": "shop"}]
    (tmp_path / "teams.json").write_text(json.dumps(taxonomy))
    rows = [{"text": f"{text} {number}", "team": team} for team, text in said.items() for number in range(12)]
    train = tmp_path / "train.jsonl"
    train.write_text("\n".join(json.dumps(row) for row in rows))
    arguments = ("route", train, "--train", train, "--taxonomy", tmp_path / "teams.json", "--json", "--without-encoder")
    figures = json.loads(evaluate(*arguments))
    assert figures["accuracy"] == 1.0
    assert figures["model"] == "words + 24 examples"
    few = json.loads(evaluate("topic", data, "--train", data, "--json", "--without-encoder"))
    assert few["model"] == "words"  # two examples are too few to learn from, and no reason to refuse


def test_what_no_topic_covers_counts_for_what_is_out_of_scope_alone(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "more.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in [*ROWS, {"text": "hello there", "topic": "oos"}]))
    figures = json.loads(evaluate("topic", path, "--json", "--without-encoder"))
    assert (figures["n"], figures["accuracy"], figures["out_of_scope_n"]) == (2, 1.0, 1.0)
    assert figures["out_of_scope_auroc"] == 1.0


def test_separation_is_the_chance_of_being_in_order() -> None:
    assert metrics.separation([3, 2], [1, 2]) == (1 + 1 + 1 + 0.5) / 4
    assert metrics.caught([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [0, 1.5, 2.5], lost=0.1) == pytest.approx(2 / 3)
