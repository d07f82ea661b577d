"""What the probes and `doctor` say, well and unwell."""

from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from feedback_portal import health
from feedback_portal.celery import PIPELINE
from triage.models import ChangedDay

pytestmark = pytest.mark.django_db


def test_alive_asks_nobody(client: Client, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    with django_assert_num_queries(0):
        assert client.get("/healthz").content == b"ok\n"


def test_ready_names_every_stage(client: Client) -> None:
    answer = client.get("/readyz").json()

    assert answer["ready"] is True
    assert set(answer["oldest_due_seconds"]) == {stage.name for stage in PIPELINE}


def test_without_the_broker_the_portal_is_still_ready(client: Client, settings) -> None:  # type: ignore[no-untyped-def]
    settings.REDIS_URL = "unix:///nowhere/redis.sock?db=0"

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json()["broker"] != "answers"


def test_metrics_are_for_this_machine_or_the_token(client: Client, settings) -> None:  # type: ignore[no-untyped-def]
    settings.METRICS_TOKEN = "a-token"

    assert b"portal_pending_rows" in client.get("/metrics").content
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1").status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404
    told = client.get("/metrics", REMOTE_ADDR="192.0.2.1", headers={"Authorization": "Bearer a-token"})
    assert told.status_code == 200


def test_doctor_is_content_with_a_healthy_portal() -> None:
    verdicts = {check.name: check for check in health.checks()}

    # The tests' own database runs without fsync, which is what this check is for.
    assert {name for name, check in verdicts.items() if not check.ok} <= {"durability"}


def test_doctor_names_parked_work_and_a_stage_nobody_works_on() -> None:
    ChangedDay.objects.create(day=date(2026, 1, 1), parked_at=timezone.now())
    assert "replay" in _verdict("measure").advice

    ChangedDay.objects.update(parked_at=None, next_attempt_at=timezone.now() - timedelta(hours=1))
    assert "start a worker" in _verdict("measure").advice


def test_doctor_exits_with_one_when_a_check_fails() -> None:
    ChangedDay.objects.create(day=date(2026, 1, 1), parked_at=timezone.now())
    said = StringIO()

    with pytest.raises(SystemExit) as caught:
        call_command("doctor", stdout=said)

    assert caught.value.code == 1
    assert "FAIL  measure" in said.getvalue()


def _verdict(name: str) -> health.Check:
    return next(check for check in health.checks() if check.name == name)
