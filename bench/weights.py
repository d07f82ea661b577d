"""What pages weigh as they are served, and how long they take to answer a hand on a slow machine, beside their budgets.

    .venv/bin/python manage.py up --demo
    nice .venv/bin/python bench/weights.py [--rounds 5] [--slower 4]

Weights are bodies as they are sent with an empty cache, compressed as the portal compresses them (with PORTAL_DEBUG=1 style sheets and
scripts are sent as they lie on the disk: measure without). The second table is the Event Timing API of a browser whose processor is
slowed: from the key or the click to the next picture, the median and the slowest of the rounds. Beside it stands the processor time of
the page's thread for one key or click until it is quiet, what it fetches included, which does not depend on what else the machine does.
One suggestion of the portal is accepted a round: use one that may be thrown away.
"""

import argparse
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from addresses import Visitor, connect, visitors
from furnishing import furnish
from looks import chromium

KINDS = ("Document", "Stylesheet", "Script", "Font", "Image", "Other")
# kB compressed; none is set where there is no number.
BUDGETS = {"workbench": 120, "form": 45, "private page": 40, "dashboard": 160, "widget": 6}
SCRIPTS = 30
LONGEST = 200
WATCH = """() => {
  window.answered = [];
  new PerformanceObserver((seen) => {
    for (const one of seen.getEntries()) if (one.interactionId) answered.push([one.interactionId, one.name, one.duration]);
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
}"""


@dataclass(frozen=True)
class Hand:
    """One thing a hand does: `before` brings the page there, `does` is what is measured."""

    name: str
    most: int
    does: Callable[[Any], None]
    before: Callable[[Any], None] = lambda page: None
    times: int = 1


def main() -> None:
    given = arguments()
    connect()
    from django.conf import settings

    furnish()
    people = visitors()
    with chromium() as browser:
        print(
            f"{'kB as served':22}"
            + "".join(f"{kind[:8].lower():>10}" for kind in KINDS)
            + "       all  budget  requests"
        )
        over = [
            name
            for name, visitor, address in pages(people)
            if weigh(browser, settings.BASE_URL, name, visitor, address)
        ]
        print(f"\n{f'ms, {given.slower} times slower':34}{'median':>8}{'slowest':>9}{'budget':>8}{'processor':>11}")
        context = browser.new_context(base_url=settings.BASE_URL, viewport={"width": 1440, "height": 900})
        context.add_cookies(people["admin"].cookies)
        for address, hands in ((WORKBENCH, DECIDING), (DASHBOARD, READING)):
            over += feel(context, address, hands, rounds=given.rounds, slower=given.slower)
    print("\nload average", [round(load, 1) for load in os.getloadavg()])
    print("over budget:", ", ".join(over) or "nothing")
    sys.exit(1 if over else 0)


def pages(people: dict[str, Visitor]) -> list[tuple[str, Visitor, str]]:
    from intake import receiving
    from intake.models import Form, Place, Submission
    from triage.models import Action

    form = Form.objects.filter(state="published").order_by("pk").first()
    told = Submission.objects.filter(item__tickets__isnull=False, item__customer__isnull=False).order_by("-pk").first()
    action = Action.objects.order_by("-pk").first()
    admin, nobody = people["admin"], people["nobody"]
    return [
        ("workbench", admin, WORKBENCH),
        ("dashboard", admin, DASHBOARD),
        ("one number", admin, "/kpis/csat/"),
        ("action", admin, f"/actions/{action.reference}/" if action else "/actions/"),
        ("settings", admin, "/settings/rules/"),
        ("form", nobody, f"/f/{form.slug}/" if form else "/"),
        ("private page", nobody, f"/t/{receiving.tracking_token(told)}/" if told else "/"),
        ("kiosk", nobody, f"/k/{Place.objects.values_list('slug', flat=True)[0]}/"),
        ("what changed", nobody, "/changes/"),
        ("widget", nobody, "/widget.js"),
    ]


def weigh(browser: Any, base: str, name: str, visitor: Visitor, address: str) -> bool:
    """Prints a line; whether it is over its budget, or its scripts are over theirs. A file is weighed without the browser's own
    request for an icon."""
    context = browser.new_context(base_url=base, viewport={"width": 1280, "height": 900}, service_workers="block")
    context.add_cookies(visitor.cookies)
    page = context.new_page()
    wire = context.new_cdp_session(page)
    heads: dict[str, tuple[str, float]] = {}
    bytes_of: dict[str, float] = defaultdict(float)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def answered(told: dict[str, Any]) -> None:
        heads[told["requestId"]] = told["type"], told["response"]["encodedDataLength"]

    def arrived(told: dict[str, Any]) -> None:
        kind, head = heads.get(told["requestId"], ("Other", 0))
        bytes_of["requests"] += 1
        if kind == "Document" or not address.endswith(".js"):
            bytes_of[kind if kind in KINDS else "Other"] += told["encodedDataLength"] - head

    wire.on("Network.responseReceived", answered)
    wire.on("Network.loadingFinished", arrived)
    page.goto(address, wait_until="load")
    page.wait_for_timeout(1500)
    context.close()
    kilo = {kind: bytes_of[kind] / 1000 for kind in KINDS}
    budget = BUDGETS.get(name)
    print(
        f"{name:22}"
        + "".join(f"{kilo[kind]:>10.1f}" for kind in KINDS)
        + f"{sum(kilo.values()):>10.1f}{budget or '':>8}{bytes_of['requests']:>10.0f}"
    )
    return kilo["Script"] > SCRIPTS or sum(kilo.values()) > (budget or 1000)


def press(*keys: str) -> Callable[[Any], None]:
    def pressed(page: Any) -> None:
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(200)

    return pressed


def click(selector: str) -> Callable[[Any], None]:
    return lambda page: page.locator(selector).first.click()


WORKBENCH, DASHBOARD = "/triage/?tab=all", "/kpis/"
DECIDING: Sequence[Hand] = (
    Hand("next and previous (j, k)", 50, press("j", "j", "j", "k", "k"), times=5),
    Hand("open an item", LONGEST, click("article.row:nth-of-type(4) a")),
    Hand("select for bulk (space)", 100, press("Space"), before=press("j")),
    Hand("select more (shift j)", 100, press("Shift+J", "Shift+J"), before=press("Space"), times=2),
    Hand("palette", 100, press("Control+k"), before=press("Escape")),
    Hand(
        "type in the palette",
        100,
        lambda page: page.keyboard.type("lea", delay=120),
        before=press("Control+k"),
        times=3,
    ),
    Hand("route form (r)", LONGEST, press("r"), before=press("j")),
    Hand("help (?)", 100, press("?"), before=press("Escape")),
    Hand("type in the search", 100, lambda page: page.keyboard.type("leak", delay=120), before=press("/"), times=4),
    Hand("search", LONGEST, press("Enter"), before=lambda page: (page.keyboard.press("/"), page.keyboard.type("leak"))),
    Hand("accept (enter)", 100, press("Enter"), before=press("j")),
)
READING: Sequence[Hand] = (
    Hand("open the filters", 100, click(".kpi-change > summary")),
    Hand(
        "choose a team",
        100,
        lambda page: page.locator(".kpi-change select").first.select_option(index=1),
        before=click(".kpi-change > summary"),
    ),
    Hand("table under a chart", 100, click(".chart-table > summary")),
    Hand("ask with the filters", LONGEST, click(".kpi-change form button"), before=click(".kpi-change > summary")),
)


def feel(context: Any, address: str, hands: Sequence[Hand], *, rounds: int, slower: float) -> list[str]:
    """Prints a line for each thing a hand does, each on a page of its own; the names of those over budget."""
    over = []
    for hand in hands:
        tries = [slowest(context, address, hand, slower) for _ in range(rounds)]
        took, busy = [wait for wait, _ in tries], statistics.median(work for _, work in tries)
        median = statistics.median(took)
        print(f"{hand.name:34}{median:>8.0f}{max(took):>9.0f}{hand.most:>8}{busy:>11.0f}", flush=True)
        if median > hand.most:
            over.append(hand.name)
    return over


def slowest(context: Any, address: str, hand: Hand, slower: float) -> tuple[float, float]:
    """Milliseconds to the next picture, of the slowest interaction, 16 where none took longer than a frame; and those of the
    processor for each."""
    page = context.new_page()
    page.goto(address, wait_until="load")
    page.wait_for_timeout(300)
    hand.before(page)
    page.wait_for_timeout(300)
    inside = context.new_cdp_session(page)
    inside.send("Performance.enable", {"timeDomain": "threadTicks"})
    inside.send("Emulation.setCPUThrottlingRate", {"rate": slower})

    def busy() -> float:
        told = {one["name"]: one["value"] for one in inside.send("Performance.getMetrics")["metrics"]}
        return float(told["TaskDuration"]) * 1000

    page.evaluate(WATCH)
    page.wait_for_timeout(200)
    page.evaluate("answered.length = 0")
    kept: list[list[Any]] = []
    page.expose_function("keep", lambda seen: kept.extend(seen))  # noqa: PLW0108 (Playwright marks what it is given, and a method of a list cannot be)
    # A click that leads away takes its own measure with it: what was seen until then is what a hand felt.
    page.evaluate("addEventListener('pagehide', () => keep(answered))")
    began = busy()
    hand.does(page)
    page.wait_for_timeout(700)
    worked = max(0.0, busy() - began) / hand.times
    took = page.evaluate("window.answered || []") or kept
    page.close()
    return max((duration for _, _, duration in took), default=16), worked


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slower", type=float, default=4)
    return parser.parse_args()


if __name__ == "__main__":
    main()
