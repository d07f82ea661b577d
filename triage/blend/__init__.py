"""What is learned from people's corrections, blended with what the taxonomy says by itself. Pure."""

from triage.blend.base import NONE, Example, Neighbour, Prediction, Unlearnable, Verdict
from triage.blend.fitting import LEAST_EXAMPLES, MOST_EXAMPLES, fit
from triage.blend.model import Blend, Mode, meaningful

__all__ = [
    "LEAST_EXAMPLES",
    "MOST_EXAMPLES",
    "NONE",
    "Blend",
    "Example",
    "Mode",
    "Neighbour",
    "Prediction",
    "Unlearnable",
    "Verdict",
    "fit",
    "meaningful",
]
