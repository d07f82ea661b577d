"""The models in use, held in memory by each process and read again when another version takes over."""

from collections.abc import Mapping
from dataclasses import replace
from threading import Lock

import structlog

from triage.blend import Blend, Unlearnable
from triage.models import ModelVersion
from triage.understanding import embeddings

log = structlog.get_logger("portal.learned")

_held: dict[int, Blend | None] = {}
_reading = Lock()


def active_versions() -> dict[str, int]:
    """The version in use of each field that has one; one small query, to be asked once a batch."""
    return dict(ModelVersion.objects.active().order_by("field").values_list("field", "pk"))


def models_of(versions: Mapping[str, int]) -> dict[str, Blend]:
    """The models of these versions, as far as they are more than the taxonomy says by itself. Only what this process does not
    hold is read, and what is in use no more is let go."""
    with _reading:
        missing = [number for number in versions.values() if number not in _held]
        if missing:
            rows = ModelVersion.objects.filter(pk__in=missing).values_list("pk", "artefact__content")
            _held.update((number, _read(number, content)) for number, content in rows)
        for number in set(_held) - set(versions.values()):
            del _held[number]
        found = {field: _held.get(number) for field, number in versions.items()}
    return {field: model for field, model in found.items() if model is not None}


def model_of(version: ModelVersion) -> Blend:
    """The model of one version, or the taxonomy alone where it has none that can be read; its artefact must be loaded."""
    content = version.artefact.content if version.artefact else None
    return _read(version.pk, content) or Blend.day_one(version.field)


def _read(number: int, content: bytes | memoryview | None) -> Blend | None:
    if content is None:
        return None
    try:
        model = Blend.from_bytes(bytes(content))
    except Unlearnable:
        # The portal goes on with the taxonomy; the next training makes one that can be read.
        log.exception("model cannot be read", version=number)
        return None
    # Vectors of another encoder are points of another space.
    if model.encoder == embeddings.fingerprint():
        return model
    return replace(model, meaning=None, modes={"words": model.modes["words"]})
