"""Measure a task on labelled data."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from triage import encoder
from triage.evaluation import Encode, Ground, Measured, Record, Unmeasurable, tasks
from triage.evaluation.reading import read_records, read_taxonomy, taxonomy_of_labels
from triage.taggers import Taxonomy


class Command(BaseCommand):
    help = (
        "Measures how well one task understands labelled texts: JSON lines, plain or .gz, with text (or subject and body)"
        " and a label. Rows whose label is null are left out. Without --train only the taxonomy is known. Touches no table."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("task", choices=[task.slug for task in tasks.all()])
        parser.add_argument("data", type=Path, help="labelled JSON lines, plain or .gz")
        parser.add_argument("--label", metavar="FIELD", help="the field that holds the right answer")
        parser.add_argument("--train", type=Path, metavar="FILE", help="labelled JSON lines to learn from")
        parser.add_argument(
            "--taxonomy", type=Path, metavar="FILE", help="the topics; taxonomy.json beside the data unless given"
        )
        parser.add_argument("--limit", type=int, metavar="N", help="measure the first N rows only")
        parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
        parser.add_argument("--without-encoder", action="store_true", help="as where its weights are not installed")

    def handle(self, *, task: str, data: Path, json: bool, **given: Any) -> None:
        if given["limit"] is not None and given["limit"] < 1:
            raise CommandError("--limit must be at least 1.")
        chosen = tasks.get(task)
        label = given["label"] or chosen.label
        try:
            records = read_records(data, most=given["limit"])
            train = read_records(given["train"]) if given["train"] else []
            ground = Ground(
                label=label,
                train=train,
                taxonomy=_taxonomy(given["taxonomy"], data, train, label),
                encode=None if given["without_encoder"] else _encode(),
            )
            measured = chosen.measure(records, ground)
        except Unmeasurable as no:
            raise CommandError(str(no)) from None
        self.stdout.write(_as_json(task, measured) if json else _as_lines(task, measured))


def _encode() -> Encode | None:
    working = encoder.load(settings.ENCODER_DIR) if settings.ENCODER else None
    return working.encode if working else None


def _taxonomy(named: Path | None, data: Path, train: list[Record], label: str) -> Taxonomy:
    if named:
        return read_taxonomy(named)
    beside = data.with_name("taxonomy.json")
    if beside.exists():
        return read_taxonomy(beside)
    return taxonomy_of_labels([str(record[label]) for record in train if record.get(label) is not None])


def _figures(task: str, measured: Measured) -> dict[str, Any]:
    figures = asdict(measured)
    return {"task": task, **figures.pop("more"), **figures}


def _as_json(task: str, measured: Measured) -> str:
    return json.dumps(_figures(task, measured), default=float)


def _as_lines(task: str, measured: Measured) -> str:
    lines = []
    for name, value in _figures(task, measured).items():
        said = ", ".join(f"{key}: {each:.3f}" for key, each in value.items()) if isinstance(value, dict) else value
        lines.append(f"{name:22}{f'{said:.3f}' if isinstance(said, float) else said}")
    return "\n".join(lines)
