"""How good the portal understands feedback, measured on labelled data; see `manage.py evaluate`."""

from triage.evaluation.base import (
    Answer,
    Encode,
    Ground,
    Labelling,
    Measured,
    Record,
    Task,
    Unmeasurable,
    encoded,
    figures_of,
    tasks,
    text_of,
)

__all__ = [
    "Answer",
    "Encode",
    "Ground",
    "Labelling",
    "Measured",
    "Record",
    "Task",
    "Unmeasurable",
    "encoded",
    "figures_of",
    "tasks",
    "text_of",
]

tasks.load(__name__)
