"""What the relay and the clock ring on this floor."""

from celery import shared_task
from django.utils import timezone

from intake import erasure_ledger, hooks, importing, normalizing, polling, receiving, relation_runs, retention


@shared_task
def take_apart_pending() -> dict[str, int]:
    return hooks.take_apart_pending().as_dict()


@shared_task
def normalize_pending() -> dict[str, int]:
    return normalizing.normalize_pending(at=timezone.now()).as_dict()


@shared_task
def ask_pending() -> dict[str, int]:
    return polling.ask_pending(at=timezone.now()).as_dict()


@shared_task
def import_pending() -> dict[str, int]:
    return importing.import_pending(at=timezone.now()).as_dict()


@shared_task
def take_relations_pending() -> dict[str, int]:
    return relation_runs.take_in_pending(at=timezone.now()).as_dict()


@shared_task
def forget_expired() -> int:
    at = timezone.now()
    erasure_ledger.copy_out()
    return (
        receiving.forget_expired(at=at)
        + importing.forget_files(at=at)
        + relation_runs.forget_files(at=at)
        + hooks.forget(at=at)
        + retention.empty_expired(at=at)
    )
