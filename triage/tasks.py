"""What the relay and the clock ring on this floor."""

import secrets

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from triage import asking, decisions, notifications, pipeline, reevaluating, refining, track_record
from triage.connecting import announcing, syncing
from triage.desk import bulk, escalating, saved
from triage.improving import telling
from triage.learning import audit_drawing, audits, promotion, training
from triage.rulebook import back_testing, shadowing
from triage.rulebook import proposals as rule_proposals
from triage.telling import notices
from triage.themes import gathering, grouping, life
from triage.understanding import embeddings


@shared_task
def understand_pending() -> dict[str, int]:
    return pipeline.understand_pending(at=timezone.now()).as_dict()


@shared_task
def reevaluate_pending() -> dict[str, int]:
    return reevaluating.reevaluate_pending(at=timezone.now()).as_dict()


@shared_task
def decide_many_pending() -> dict[str, int]:
    return bulk.work_pending(at=timezone.now()).as_dict()


@shared_task
def refine_pending() -> dict[str, int]:
    return refining.refine_pending(at=timezone.now()).as_dict()


@shared_task
def ask_pending() -> dict[str, int]:
    return asking.ask_pending(at=timezone.now()).as_dict()


@shared_task
def train_pending() -> dict[str, int]:
    return training.train_pending(at=timezone.now()).as_dict()


@shared_task
def train_everything() -> None:
    promotion.mark_all()


@shared_task
def deliver_pending() -> dict[str, int]:
    return notifications.deliver_pending().as_dict()


@shared_task
def announce_pending() -> dict[str, int]:
    return announcing.announce_pending(at=timezone.now).as_dict()


@shared_task
def look_at_trackers_pending() -> dict[str, int]:
    return syncing.look_pending(at=timezone.now()).as_dict()


@shared_task
def sync_issues_pending() -> dict[str, int]:
    return syncing.sync_pending(at=timezone.now()).as_dict()


@shared_task
def forget_announcements() -> int:
    return announcing.forget_old(at=timezone.now())


@shared_task
def wake_snoozed() -> int:
    return decisions.wake_due(at=timezone.now())


@shared_task
def escalate() -> int:
    return escalating.escalate(at=timezone.now())


@shared_task
def tell_staff() -> int:
    """Actions that are due, and the mails of those whose morning it is."""
    at = timezone.now()
    notices.tell_due(at=at)
    return notices.mail_due(at=at)


@shared_task
def send_views() -> int:
    """The digests of saved views whose reader's morning it is."""
    return saved.send_due(at=timezone.now())


@shared_task
def forget_unused_vectors() -> int:
    return embeddings.forget_unused(at=timezone.now())


@shared_task
def gather_pending() -> dict[str, int]:
    return gathering.gather_pending(at=timezone.now()).as_dict()


@shared_task
def group_pending() -> dict[str, int]:
    return grouping.group_pending(at=timezone.now()).as_dict()


@shared_task
def regroup_themes() -> int:
    return grouping.regroup_everything(at=timezone.now())


@shared_task
def judge_themes() -> int:
    return life.judge(at=timezone.now())


@shared_task
def back_test_pending() -> dict[str, int]:
    return back_testing.work_pending().as_dict()


@shared_task
def propose_rules() -> int:
    """Look for better rules in what people decided, and forget what was only tried."""
    at = timezone.now()
    back_testing.forget_old(at=at)
    shadowing.forget_old()
    return rule_proposals.find(at=at)


@shared_task
def count_answers() -> int:
    return track_record.refresh(at=timezone.now())


@shared_task
def draw_audit() -> int:
    """The sample of last week, if it was not drawn yet, and the end of audits that are done."""
    at = timezone.now()
    audit_drawing.draw(audit_drawing.last_week(at), seed=secrets.randbits(31), size=settings.AUDIT_SIZE, at=at)
    return audits.close_due(at=at)


@shared_task
def tell_pending() -> dict[str, int]:
    return telling.tell_pending().as_dict()


@shared_task
def ask_whether_fixed() -> int:
    return telling.ask_again(at=timezone.now())
