"""The house stands as drawn: floors, names, driver, and what web processes may hold."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.utils.module_loading import import_string

from feedback_portal.celery import PIPELINE, app
from feedback_portal.pending import PendingWork

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("feedback_portal", "intake", "triage", "kpis")
NAMES_NOT_FOUND_YET = {
    "utils",
    "helpers",
    "common",
    "misc",
    "manager",
    "managers",
    "data",
    "info",
    "process",
    "handle",
    "services",
}


def modules() -> Iterator[Path]:
    for floor in FLOORS:
        yield from (ROOT / floor).rglob("*.py")


def test_imports_point_down() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_every_module_is_named_for_what_it_holds() -> None:
    assert not [path for path in modules() if path.stem in NAMES_NOT_FOUND_YET]


def test_every_module_says_what_it_is_in_its_first_sentence() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules()
        if (source := path.read_text()).strip()
        and "migrations" not in path.parts
        and not ast.get_docstring(ast.parse(source))
    ]

    assert silent == []


def test_the_driver_is_the_one_that_was_measured() -> None:
    assert connection.Database.__name__ == "psycopg2"


@pytest.mark.parametrize("stage", PIPELINE, ids=lambda stage: stage.name)
def test_every_stage_has_its_rows_its_task_and_its_index(stage) -> None:  # type: ignore[no-untyped-def]
    from django.apps import apps

    model = apps.get_model(stage.model)
    task = import_string(stage.task)

    assert issubclass(model, PendingWork)
    assert any(index.fields == ["next_attempt_at", "id"] and index.condition for index in model._meta.indexes)
    assert task.name == stage.task
    assert stage.queue in {queue.name for queue in app.conf.task_queues}


def test_what_the_clock_rings_exists() -> None:
    for entry in app.conf.beat_schedule.values():
        assert import_string(entry["task"]).name == entry["task"]


def test_tasks_take_no_arguments() -> None:
    """So no stale id lies in the broker, and no signature has to survive a deploy."""
    import inspect

    for stage in PIPELINE:
        assert not inspect.signature(import_string(stage.task).run).parameters


def test_a_web_process_loads_neither_the_tasks_nor_what_learns() -> None:
    """What learns takes most of a second and 12 MB of every process that starts, and no page needs it."""
    heavy = ("scipy", "sklearn", "onnxruntime", "tokenizers")
    probe = (
        "import feedback_portal.wsgi, sys; from django.urls import get_resolver; get_resolver().url_patterns;"
        f"print([name for name in sys.modules if name in {heavy!r} or name.endswith('.tasks') and name.split('.')[0] in"
        f" {FLOORS!r}])"
    )

    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_rooms_that_speak_of_each_other_may_be_entered_by_any_of_their_doors() -> None:
    doors = ("triage.blend", "triage.taggers", "triage.taggers.topics", "triage.evaluation", "triage.alike")
    asked = [
        subprocess.Popen([sys.executable, "-c", f"import {door}"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for door in doors
    ]

    assert {door: process.communicate()[1][-300:] for door, process in zip(doors, asked, strict=True)} == dict.fromkeys(
        doors, ""
    )


def test_the_portal_refuses_to_start_without_a_secret_key() -> None:
    import os

    environment = {key: value for key, value in os.environ.items() if key not in {"PORTAL_SECRET_KEY", "PORTAL_DEBUG"}}

    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "PORTAL_SECRET_KEY is not set" in done.stderr
