"""The Celery app, and the portal's pipeline written as a list: each stage of rows that fall due, and its queue."""

import os
from dataclasses import dataclass

from celery import Celery
from celery.schedules import crontab
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

app = Celery("feedback_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")


@dataclass(frozen=True)
class Stage:
    """Rows of `model` that are due are worked off by `task`; `model` and `task` are strings, for the ground imports no app."""

    name: str
    model: str
    task: str
    queue: str


PIPELINE = (
    Stage("ask", "intake.Poll", "intake.tasks.ask_pending", "outbound"),
    Stage("import", "intake.Import", "intake.tasks.import_pending", "intake"),
    Stage("import customers", "intake.RelationFile", "intake.tasks.take_relations_pending", "intake"),
    Stage("take apart", "intake.Delivery", "intake.tasks.take_apart_pending", "intake"),
    Stage("normalize", "intake.Submission", "intake.tasks.normalize_pending", "intake"),
    # In a queue of its own: a few rings at most wait in each, and new items must not stand behind what follows earlier ones.
    Stage("understand", "intake.Arrival", "triage.tasks.understand_pending", "place"),
    Stage("compare", "triage.Gathering", "triage.tasks.gather_pending", "triage"),
    Stage("group", "triage.Regrouping", "triage.tasks.group_pending", "triage"),
    Stage("re-evaluate", "triage.ReevaluationBatch", "triage.tasks.reevaluate_pending", "triage"),
    Stage("decide many", "triage.BulkPart", "triage.tasks.decide_many_pending", "triage"),
    Stage("refine", "triage.Refinement", "triage.tasks.refine_pending", "refine"),
    Stage("ask outside", "triage.Question", "triage.tasks.ask_pending", "refine"),
    Stage("tell", "triage.TellingPart", "triage.tasks.tell_pending", "measure"),
    Stage("deliver", "triage.Notification", "triage.tasks.deliver_pending", "outbound"),
    Stage("announce", "triage.Announcement", "triage.tasks.announce_pending", "outbound"),
    Stage("look at trackers", "triage.TrackerProject", "triage.tasks.look_at_trackers_pending", "outbound"),
    Stage("sync issues", "triage.LinkedIssue", "triage.tasks.sync_issues_pending", "outbound"),
    # Seconds of computing at a stretch, so not where new items wait.
    Stage("back-test", "triage.BackTest", "triage.tasks.back_test_pending", "measure"),
    Stage("measure", "triage.ChangedDay", "kpis.tasks.recount_changed_days", "measure"),
    Stage("learn", "triage.Training", "triage.tasks.train_pending", "learn"),
)

app.conf.task_queues = [
    Queue(name, Exchange(name), routing_key=name) for name in dict.fromkeys(stage.queue for stage in PIPELINE)
]
app.conf.task_default_queue = "triage"
app.conf.task_routes = {stage.task: {"queue": stage.queue} for stage in PIPELINE} | {
    "kpis.tasks.*": {"queue": "measure"},
    "intake.tasks.*": {"queue": "intake"},
    "triage.tasks.propose_rules": {"queue": "measure"},
    "triage.tasks.count_answers": {"queue": "measure"},
    "triage.tasks.draw_audit": {"queue": "measure"},
}
# What is due by the clock, not by a row. Each is idempotent: a missed or doubled beat changes nothing.
app.conf.beat_schedule = {
    "wake-snoozed": {"task": "triage.tasks.wake_snoozed", "schedule": 30.0},
    "escalate": {"task": "triage.tasks.escalate", "schedule": 60.0},
    "tell-staff": {"task": "triage.tasks.tell_staff", "schedule": 900.0},
    "send-views": {"task": "triage.tasks.send_views", "schedule": 900.0},
    "propose-rules": {"task": "triage.tasks.propose_rules", "schedule": 3600.0},
    "count-answers": {"task": "triage.tasks.count_answers", "schedule": 3600.0},
    # On Mondays; on other days it finds the week drawn, or makes up for a Monday that was missed.
    "draw-audit": {"task": "triage.tasks.draw_audit", "schedule": crontab(hour=4, minute=20)},
    "watch-signals": {"task": "kpis.tasks.watch_signals", "schedule": crontab(hour=5, minute=10)},
    "mail-digests": {"task": "kpis.tasks.mail_digests", "schedule": crontab(hour=6, minute=30)},
    "prove-numbers": {"task": "kpis.tasks.prove_numbers", "schedule": crontab(hour=4, minute=40)},
    "ask-whether-fixed": {"task": "triage.tasks.ask_whether_fixed", "schedule": crontab(hour=9, minute=30)},
    "judge-effects": {"task": "kpis.tasks.judge_effects", "schedule": 3600.0},
    "count-today": {"task": "kpis.tasks.count_today", "schedule": 900.0},
    "judge-themes": {"task": "triage.tasks.judge_themes", "schedule": 900.0},
    "regroup-themes": {"task": "triage.tasks.regroup_themes", "schedule": crontab(hour=3, minute=40)},
    "forget-unused-vectors": {"task": "triage.tasks.forget_unused_vectors", "schedule": 21600.0},
    "learn-at-night": {"task": "triage.tasks.train_everything", "schedule": crontab(hour=2, minute=20)},
    "forget-announcements": {"task": "triage.tasks.forget_announcements", "schedule": 3600.0},
    "forget-expired": {"task": "intake.tasks.forget_expired", "schedule": 3600.0},
}
app.autodiscover_tasks(["intake", "triage", "kpis"])
