"""How long staff pages of the running portal take, beside one bare query in the same run.

    .venv/bin/python manage.py load_synthetic --items 100000 --days 180
    .venv/bin/python bench/pages.py [--rounds 30]

Prints p50 and p95 in milliseconds, and the ratio of each page to the bare query for its first rows.
"""

import argparse
import http.cookiejar
import json
import os
import re
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

PAGES = {
    "queue": "/triage/",
    "queue, one team": "/triage/?q=team%3A{team}",
    "search": "/triage/?q={word}",
    "done": "/triage/?q=is%3Adone",
    "dashboard": "/kpis/",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    from django.conf import settings

    from feedback_portal.accounts.models import Role, Team, User
    from intake.models import FeedbackItem
    from triage.models import Ticket

    admin = User.objects.filter(role=Role.ADMIN).order_by("pk").first()
    team = Team.objects.filter(tickets__isnull=False).order_by("pk").first()
    if admin is None or team is None:
        sys.exit("Fill the portal first: manage.py load_synthetic --items 100000 --days 180")
    browser = signed_in(settings.BASE_URL, admin)
    word = FeedbackItem.objects.order_by("-pk").values_list("excerpt", flat=True)[0].split()[0]
    told = {"tickets": Ticket.objects.count()}
    told["bare query"] = timed(
        lambda: list(Ticket.objects.undecided().in_queue_order().values_list("pk", "due_at")[:50]), rounds
    )
    for name, path in PAGES.items():
        address = settings.BASE_URL + path.format(team=team.slug, word=word.strip(".,").lower())
        told[name] = timed(lambda address=address: browser.open(address).read(), rounds)
    deep = deep_page(browser, settings.BASE_URL)
    told["queue, page 20"] = timed(lambda: browser.open(deep).read(), rounds)
    print(json.dumps(told, indent=1))


def signed_in(base: str, admin: object) -> urllib.request.OpenerDirector:
    from django.utils import timezone

    from feedback_portal.accounts.models import SignInLink, User

    assert isinstance(admin, User)
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    link = f"{base}/sign-in/{SignInLink.issue(admin, at=timezone.now())}/"
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', browser.open(link).read().decode())
    assert token
    browser.open(link, data=f"csrfmiddlewaretoken={token[1]}".encode())
    return browser


def deep_page(browser: urllib.request.OpenerDirector, base: str) -> str:
    address = f"{base}/triage/"
    for _ in range(19):
        following = re.search(r'id="more-link" class="btn" href="([^"]+)"', browser.open(address).read().decode())
        if not following:
            break
        address = base + following[1].replace("&amp;", "&")
    return address


def timed(call, rounds: int) -> dict[str, float]:  # type: ignore[no-untyped-def]
    call()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return {"p50_ms": round(taken[len(taken) // 2], 1), "p95_ms": round(taken[int(len(taken) * 0.95)], 1)}


if __name__ == "__main__":
    main()
