"""What the relay rings on this floor."""

from celery import shared_task
from django.utils import timezone

from kpis import digests, effects, proving, recording
from kpis.periods import local_day
from kpis.signals import detecting


@shared_task
def recount_changed_days() -> dict[str, int]:
    return recording.recount_changed_days(at=timezone.now()).as_dict()


@shared_task
def count_today() -> None:
    """The usual period moves on at midnight, whether or not anything happened yet."""
    at = timezone.now()
    recording.recount(local_day(at, recording.reporting_zone()), at=at)


@shared_task
def watch_signals() -> dict[str, object]:
    """Once a night, though a week is over only once: a night that was missed or doubled changes nothing."""
    return detecting.watch(at=timezone.now()).as_dict()


@shared_task
def prove_numbers() -> dict[str, int]:
    """Once a night; a doubled beat writes the same verdict once more."""
    return proving.prove(at=timezone.now()).as_dict()


@shared_task
def judge_effects() -> int:
    """The verdict on each action whose effect is being checked, on all that has arrived by now."""
    return effects.judge(at=timezone.now())


@shared_task
def mail_digests() -> int:
    """On Mondays; on other days it makes up for a Monday that was missed."""
    return digests.mail_digests(at=timezone.now())
