"""Fifty corrections made in a browser on the running portal: how much better are the next items, and does one click lead back.

    .venv/bin/python bench/learning.py ITEMS.jsonl.gz LABELS.jsonl.gz --taxonomy TAXONOMY.json [--corrections 50] [--next 500] [--pictures FOLDER]

The first thousand items of the file come in; the next ones do so twice, before and after the corrections, in two
channels. A person goes through the first ones page by page, accepts what agrees with the file's labels and puts right what does
not, until so many were put right; the portal trains, promotes, and is taken back.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from stream import ROOT, furnish, read, send_by_api, wait_until_nothing_is_pending

FIRST = 1000


def main() -> None:
    given = arguments()
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    furnish(json.loads(given.taxonomy.read_text()))
    labels = {label["id"]: label for label in read(given.labels)}
    items = list(read(given.items))
    first, later = items[:FIRST], items[FIRST : FIRST + given.next]
    take_in(first, "learning-first")
    take_in(later, "learning-before")
    told = {"before": right(later, labels, "learning-before")}

    chosen = [item for item in first if labels[item["id"]]["topic"]]
    random.Random(7).shuffle(chosen)
    began = time.monotonic()
    with browser(given.pictures) as page:
        told |= go_through(page, "learning-first", chosen, labels, corrections=given.corrections)
        told["seconds_of_deciding"] = round(time.monotonic() - began, 1)
        train(page)
        told["versions"] = versions()
        picture(page, given.pictures, "promoted")
        take_in(later, "learning-after")
        told["after"] = right(later, labels, "learning-after")
        back = page.get_by_role("button", name="Go back to it")
        if back.count():
            back.first.click()
            page.get_by_text("It stays until you let it go.").wait_for()
            picture(page, given.pictures, "back")
            told["after_going_back"] = versions()
    print(json.dumps(told, indent=1))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("items", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--taxonomy", type=Path, required=True)
    parser.add_argument("--corrections", type=int, default=50)
    parser.add_argument("--next", type=int, default=500)
    parser.add_argument("--pictures", type=Path)
    return parser.parse_args()


def take_in(items: Sequence[dict[str, Any]], channel: str) -> None:
    send_by_api(list(items), channel)
    wait_until_nothing_is_pending()


def right(items: Sequence[dict[str, Any]], labels: dict[str, Any], channel: str) -> dict[str, Any]:
    """Of the items that have a label, how often the portal's surest topic and its team are the label's."""
    from triage.models import Tagging, Ticket

    best: dict[str, tuple[float, str]] = {}
    rows = Tagging.objects.standing().filter(item__channel__slug=channel, source="model")
    for item, topic, confidence in rows.values_list("item__submission__external_id", "topic__slug", "confidence"):
        best[item] = max(best.get(item, (0.0, "")), (confidence, topic))
    teams = dict(
        Ticket.objects.filter(item__channel__slug=channel).values_list("item__submission__external_id", "team__name")
    )
    labelled = [item["id"] for item in items if labels[item["id"]]["topic"]]
    topics = sum(best.get(item, (0, ""))[1] == slug(labels[item]["topic"]) for item in labelled)
    routed = sum(teams.get(item) == labels[item]["team"] for item in labelled)
    return {
        "labelled": len(labelled),
        "topic_right": round(topics / len(labelled), 3),
        "team_right": round(routed / len(labelled), 3),
    }


def tags(channel: str) -> dict[str, set[str]]:
    from triage.models import Tagging

    found: dict[str, set[str]] = {}
    rows = Tagging.objects.standing().filter(item__channel__slug=channel)
    for item, topic in rows.values_list("item__submission__external_id", "topic__slug"):
        found.setdefault(item, set()).add(topic)
    return found


def go_through(
    page: Any, channel: str, items: Sequence[dict[str, Any]], labels: dict[str, Any], *, corrections: int
) -> dict[str, int]:
    """How many were accepted and how many put right."""
    from triage.models import Ticket

    tagged, accepted, corrected = tags(channel), 0, 0
    for item in items:
        if corrected == corrections:
            break
        label = labels[item["id"]]
        ticket = Ticket.objects.select_related("team").get(
            item__channel__slug=channel, item__submission__external_id=item["id"]
        )
        if tagged.get(item["id"]) == {slug(label["topic"])} and ticket.team.name == label["team"]:
            accepted += accept(page, ticket)
        else:
            correct(page, ticket, label, tagged.get(item["id"], set()))
            corrected += 1
    return {"accepted": accepted, "corrected": corrected}


def accept(page: Any, ticket: Any) -> int:
    """1, or 0 where the portal proposes nothing."""
    page.goto(f"/triage/{ticket.reference}/")
    button = page.get_by_role("button", name="Accept").first
    if not button.count():
        return 0
    with page.expect_response(lambda answer: answer.request.method == "POST" and "/decide/" in answer.url):
        button.click()
    page.wait_for_load_state()
    return 1


def correct(page: Any, ticket: Any, label: dict[str, Any], tagged: set[str]) -> None:
    topic = slug(label["topic"])

    def tag() -> None:
        for box in page.locator("input[name=topic]").all():
            box.set_checked(box.get_attribute("value") == topic)

    if tagged != {topic}:
        decide(page, f"/triage/{ticket.reference}/tag/", "Set tags", tag)
    if ticket.team.name != label["team"]:
        route = f"/triage/{ticket.reference}/route/"
        decide(page, route, "Route", page.get_by_role("radio", name=label["team"]).first.check)


def decide(page: Any, form: str, button: str, fill_in: Callable[[], None]) -> None:
    """As a person does: who is told that the portal changed the ticket meanwhile looks at it anew and decides again."""
    for _ in range(3):
        page.goto(form)
        fill_in()
        with page.expect_response(lambda answer: answer.request.method == "POST") as told:
            page.get_by_role("button", name=button, exact=True).click()
        page.wait_for_load_state()
        if told.value.status < 400:
            return
    sys.exit(f"{form} was refused three times.")


def train(page: Any) -> None:
    for field in ("topic", "team"):
        page.goto("/settings/models/")
        page.locator(f"#{field}").get_by_role("button", name="Train now").click()
        page.wait_for_load_state()
    wait_until_nothing_is_pending()
    page.goto("/settings/models/")


def versions() -> list[dict[str, Any]]:
    from triage.models import ModelVersion

    rows = ModelVersion.objects.order_by("pk").values("pk", "field", "state", "corrections")
    return list(rows)


def slug(topic: str) -> str:
    """As `furnish` names it."""
    from django.utils.text import slugify

    return slugify(topic.replace("/", "-"))[:80]


def browser(pictures: Path | None) -> Any:
    """A page in which the owner is signed in, by a link as the portal prints it."""
    from contextlib import contextmanager

    from django.conf import settings
    from playwright.sync_api import sync_playwright

    link = (
        subprocess.run(
            [sys.executable, "manage.py", "sign_in_link", "owner@localhost"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        .stdout.strip()
        .split()[-1]
    )

    @contextmanager
    def opened() -> Any:
        import os

        # Rows are read between clicks, and Playwright runs a loop of its own.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            )
            page = chromium.new_page(base_url=settings.BASE_URL, viewport={"width": 1280, "height": 900})
            page.set_default_timeout(60_000)
            page.goto(link)
            if page.get_by_role("button").count() and "/sign-in/" in page.url:
                page.get_by_role("button").first.click()
            page.wait_for_url("**/triage/**")
            yield page
            chromium.close()

    return opened()


def picture(page: Any, folder: Path | None, name: str) -> None:
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png", full_page=True)


if __name__ == "__main__":
    main()
