"""Everybody an action answers is told by mail while the worker that tells is killed: who hears twice, and who never.

    .venv/bin/python bench/telling.py [--senders 10000] [--kill 2]

It starts a database of its own and a mail server that keeps what it is given, writes one item, ticket and link for each sender, approves
one telling and lets one worker resolve, write and send. The worker is killed (SIGKILL) so often on the way; instead of waiting
for the leases it held, their end is moved to now. A message that the server took in the moment of a kill may come a second time,
under the same Message-ID: at most one for each kill. It needs no running portal.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from email import message_from_bytes
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["DJANGO_SETTINGS_MODULE"] = "feedback_portal.settings"

_WORKER = """
import time, django
django.setup()
from triage import notifications
from triage.improving import telling
while True:
    done = telling.tell_pending().as_dict(), notifications.deliver_pending().as_dict()
    time.sleep(0 if any(map(any, (each.values() for each in done))) else 0.2)
"""


class Sink:
    """What aiosmtpd hands over: how often each Message-ID came, and to whom."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        self.recipients: Counter[str] = Counter()
        self.without_mark = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content)
        self.ids[message["Message-ID"]] += 1
        self.recipients.update(envelope.rcpt_tos)
        self.without_mark += message["Auto-Submitted"] != "auto-generated"
        return "250 OK"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--senders", type=int, default=10_000)
    asked.add_argument("--kill", type=int, default=2)
    given = asked.parse_args()
    from aiosmtpd.controller import Controller

    from feedback_portal.local.paths import Layout
    from feedback_portal.local.postgres import Postgres

    with tempfile.TemporaryDirectory() as folder:
        layout = Layout.of(Path(folder))
        layout.make()
        postgres = Postgres(layout, durable=False)
        postgres.prepare()
        service = postgres.service()
        with (Path(folder) / "postgres.log").open("wb") as log:
            server = subprocess.Popen(service.argv, stdout=log, stderr=log, **service.process_arguments())
        sink = Sink()
        mail = Controller(sink, hostname="127.0.0.1", port=(port := free_port()))
        mail.start()
        try:
            while service.what_is_missing():
                time.sleep(0.1)
            postgres.create_database("portal")
            os.environ |= {
                "DATABASE_URL": postgres.url(),
                "PORTAL_EMAIL_URL": f"smtp://127.0.0.1:{port}",
                "PORTAL_DEBUG": "1",
            }
            subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, check=True)
            told = measure(sink, senders=given.senders, kills=given.kill)
        finally:
            mail.stop()
            server.send_signal(service.stop_signal)
            server.wait(30)
            layout.leave()
    print(json.dumps(told))
    sys.exit(0 if told["never"] == 0 and told["twice"] <= given.kill and told["ids"] == given.senders else 1)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


def measure(sink: Sink, *, senders: int, kills: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.db.models.functions import Now
    from django.utils import timezone

    from feedback_portal.accounts.permissions import Actor
    from triage.improving import telling
    from triage.models import Notification, TellingPart

    action = sow(senders)
    began = time.monotonic()
    telling.approve(action, by=Actor(user=action.owner), at=timezone.now(), texts={"": "The seal is new."})
    approved = time.monotonic() - began
    worker = start()
    killed_at = [senders * (number + 1) // (kills + 1) for number in range(kills)]
    killed = []
    while len(sink.ids) < senders or TellingPart.objects.waiting().exists():
        if killed_at and len(sink.ids) >= killed_at[0]:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            killed.append({"at": len(sink.ids)})
            killed_at.pop(0)
            # As if the leases had run out.
            for model in (Notification, TellingPart):
                model.objects.waiting().exclude(lease_token=None).update(next_attempt_at=Now())
            worker = start()
        if time.monotonic() - began > 1800:
            break
        time.sleep(0.02)
    took = time.monotonic() - began
    time.sleep(1)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    return {
        "senders": senders,
        "killed": killed,
        "seconds": round(took, 1),
        "seconds_to_approve": round(approved, 2),
        "messages": sum(sink.ids.values()),
        "ids": len(sink.ids),
        "twice": sum(count - 1 for count in sink.ids.values()),
        "never": senders - len(sink.recipients),
        "recipients_with_several_ids": sum(count > 1 for count in sink.recipients.values())
        - sum(c > 1 for c in sink.ids.values()),
        "without_mark": sink.without_mark,
        "parked": Notification.objects.parked().count() + TellingPart.objects.parked().count(),
    }


def start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _WORKER], cwd=ROOT)


def sow(senders: int) -> Any:
    """One shipped action, and for each sender a customer, an item, a ticket and its link."""
    from django.utils import timezone

    from feedback_portal.accounts.models import Role, Team, User
    from intake.models import Channel, Customer, FeedbackItem, Submission
    from triage.models import Action, ActionLink, Ticket

    at = timezone.now()
    team = Team.objects.order_by("pk").first() or Team.objects.create(slug="quality", name="Quality")
    owner = User.objects.create_user("lena@portal.example", name="Lena", role=Role.MANAGER)
    channel = Channel.objects.create(slug="bench", name="Bench", kind="rest_api")
    action = Action.objects.create(
        title="A new seal",
        team=team,
        owner=owner,
        step="check",
        shipped_at=at,
        effective_from=at.date(),
        public_text="The seal is new.",
    )
    customers = Customer.objects.bulk_create(
        Customer(external_id=f"c{number}", email=f"c{number}@customers.example", name="Ana")
        for number in range(senders)
    )
    submissions = Submission.objects.bulk_create(
        Submission(
            channel=channel,
            external_id=str(number),
            payload=b"{}",
            content_type="",
            sha256=b"",
            tracking_hash=str(number),
            received_at=at,
        )
        for number in range(senders)
    )
    items = FeedbackItem.objects.bulk_create(
        FeedbackItem(
            submission=submission,
            channel=channel,
            customer=customer,
            text="It leaks",
            excerpt="It leaks",
            may_contact=True,
            submitted_at=at,
            received_at=at,
        )
        for submission, customer in zip(submissions, customers, strict=True)
    )
    tickets = Ticket.objects.bulk_create(Ticket(item=item, team=team, due_at=at, received_at=at) for item in items)
    ActionLink.objects.bulk_create(ActionLink(action=action, ticket=ticket, linked_at=at) for ticket in tickets)
    return action


if __name__ == "__main__":
    main()
