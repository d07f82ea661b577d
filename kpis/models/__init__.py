"""What was measured: rows that can be thrown away and counted again to the same digits, and what people made of them."""

from kpis.models.annotations import Annotation, Phase
from kpis.models.definitions import DefinitionVersion
from kpis.models.measurements import Measurement
from kpis.models.reports import Proof, Report, ReportRow
from kpis.models.signals import Signal, SignalEvent
from kpis.models.steering import Goal, Look, Review, SavedDashboard

__all__ = [
    "Annotation",
    "DefinitionVersion",
    "Goal",
    "Look",
    "Measurement",
    "Phase",
    "Proof",
    "Report",
    "ReportRow",
    "Review",
    "SavedDashboard",
    "Signal",
    "SignalEvent",
]
