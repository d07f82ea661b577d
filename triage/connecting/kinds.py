"""Which kinds of events other systems may be told of: every type of every append-only log, under the log's name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from django.db import models

from triage.models import ActionEvent, Event, ThemeEvent

LOGS: Final[Mapping[str, type[models.Model]]] = MappingProxyType(
    {"ticket": Event, "theme": ThemeEvent, "action": ActionEvent}
)
"""The append-only logs by the name their events are announced under. A log has a trigger of its own, see the migrations."""


def _kinds() -> dict[str, str]:
    types = {"ticket": Event.Type, "theme": ThemeEvent.Type, "action": ActionEvent.Type}
    return {f"{log}.{value}": str(label) for log, kinds in types.items() for value, label in kinds.choices}


KINDS: Final[Mapping[str, str]] = MappingProxyType(_kinds())
"""Every kind with its words, as in "ticket.routed". A new type of event is a new kind, with no other edit."""
