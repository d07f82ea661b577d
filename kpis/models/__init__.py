"""What was measured: rows that can be thrown away and counted again to the same digits, and what people made of them."""

from kpis.models.annotations import Annotation, Phase
from kpis.models.measurements import Measurement
from kpis.models.signals import Signal, SignalEvent

__all__ = ["Annotation", "Measurement", "Phase", "Signal", "SignalEvent"]
