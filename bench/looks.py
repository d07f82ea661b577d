"""Every page of the running portal looked at in a real browser: can everybody read it, on every screen, in both themes and directions.

    .venv/bin/python manage.py up --demo
    nice .venv/bin/python bench/looks.py [--only WORD …] [--skip WORD …] [--pictures FOLDER] [--quick] [--roles] [--fresh]

Opens each address of the URL conf with objects of the portal (`addresses.py` names what is no page), its states and its errors.
At 390 and 1280 px, light, dark and right to left, axe reads it (WCAG 2.0 to 2.2, A and AA, and best practice); there and at
320, 768 and 1440 px nothing may scroll sideways, lie on something else or be cut off; errors of scripts, failed requests, a focus that
cannot be seen and targets too small for a finger are found as well, and pages of numbers are looked at in forced colours and
on paper. Prints one line for each finding and a table at the end; ends with 1 where something was found.

A form that asks for something is sent without it. Use a portal that may be thrown away. A fresh one, without the demo, shows the pages
while they are empty (--fresh adds nothing to it).
"""

import argparse
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from addresses import ROOT, Place, Visitor, connect, places, routes, visitors
from furnishing import furnish

sys.path.insert(0, str(ROOT))
SCRIPT = Path(__file__).with_suffix(".js")
NUMBERS = ("kpis/", "signals/", "actions/<str:reference>/record/")
"""Pages that are printed, and read in forced colours."""


@dataclass(frozen=True)
class Look:
    """One way to look at a page; `whole` means with axe."""

    width: int
    theme: str = "light"
    language: str = "en"
    whole: bool = False

    @property
    def touches(self) -> bool:
        return self.width < 768

    def __str__(self) -> str:
        return f"{self.width} {self.theme} {self.language}"


LOOKS = tuple(
    Look(width, theme, language, whole=width in {390, 1280} and (language == "en" or theme == "light"))
    for language in ("en", "ar")
    for width in (1280, 1440, 768, 390, 320)
    for theme in ("light", "dark")
)
OTHER_ROLES = (Look(1280, whole=True), Look(390))
STATES = (
    Look(1280, whole=True),
    Look(390, "dark", whole=True),
    Look(320),
    Look(1280, "light", "ar", whole=True),
    Look(390, "light", "ar"),
)


@dataclass
class Found:
    """What was found, by page; each sentence with the looks it was seen in."""

    lines: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    looks: Counter[str] = field(default_factory=Counter)

    def note(self, page: str, look: object, sentences: list[str]) -> None:
        self.looks[page] += 1
        kept = self.lines.setdefault(page, defaultdict(list))
        for sentence in sentences:
            kept[sentence].append(str(look))

    def tell(self, page: str) -> None:
        for sentence, looks in self.lines.get(page, {}).items():
            seen = ", ".join(looks[:4]) + (f" and {len(looks) - 4} more" if len(looks) > 4 else "")
            print(f"{page}: {sentence} [{seen}]", flush=True)


class Eyes:
    """A browser whose tabs stay open: one for each language, theme of hands, and person."""

    def __init__(self, browser: Any, base: str, pictures: Path | None) -> None:
        from axe_playwright_python.sync_playwright import Axe

        self._browser, self._base, self._pictures = browser, base, pictures
        self._axe = Axe()
        self._tabs: dict[tuple[Any, ...], Any] = {}
        self.complaints: list[str] = []

    def tab(self, visitor: Visitor, look: Look, **options: Any) -> Any:
        key = (id(visitor), look.language, look.touches, *sorted(options.items()))
        if key not in self._tabs:
            context = self._browser.new_context(
                base_url=self._base,
                locale=look.language,
                has_touch=look.touches,
                reduced_motion="reduce",
                extra_http_headers={"Accept-Language": look.language},
                **options,
            )
            context.add_cookies(visitor.cookies)
            context.add_init_script(path=SCRIPT)
            tab = context.new_page()
            tab.on("pageerror", lambda error: self.complaints.append(f"a script broke: {str(error)[:160]}"))
            tab.on("console", self._console)
            tab.on("requestfailed", self._failed)
            tab.on("response", self._answered)
            self._tabs[key] = tab
        return self._tabs[key]

    def open(self, tab: Any, address: str, status: int = 200) -> None:
        self.complaints.clear()
        self._expected = status
        answer = tab.goto(address, wait_until="load", timeout=60_000)
        if answer and answer.status != status:
            self.complaints.append(f"it answers {answer.status}, not {status}")
        tab.wait_for_timeout(120)

    def see(self, tab: Any, look: Look, name: str, *, media: str = "screen") -> list[str]:
        tab.set_viewport_size({"width": look.width, "height": 844 if look.touches else 900})
        tab.emulate_media(color_scheme=look.theme, media=media)
        asks = ["sideways", "overlapping", "cutOff"]
        if look.whole:
            asks += ["small"] if look.touches else ["unfocused"] if look.theme == "light" else []
        asks = ["onPaper", *asks[:2]] if media == "print" else asks
        found = [sentence for ask in asks for sentence in tab.evaluate(f"looks.{ask}()")]
        if look.whole and media == "screen":
            found += self._read(tab)
        found += self.complaints
        self.complaints.clear()
        if self._pictures and (look.whole or media == "print"):
            tab.evaluate("scrollTo(0, 0)")
            self._pictures.mkdir(parents=True, exist_ok=True)
            file = re.sub(r"\W+", "-", f"{name}-{look}{'-print' if media == 'print' else ''}").strip("-")
            tab.screenshot(path=self._pictures / f"{file}.jpg", full_page=True, type="jpeg", quality=72)
        return found

    def _read(self, tab: Any) -> list[str]:
        # What passes is counted and not described: that is most of axe's work.
        answer = self._axe.run(tab, options={"resultTypes": ["violations"]})
        return [
            f"axe {each['id']}: {node['target'][0]} {each['help'] if n else _why(node)}"[:230]
            for each in answer.response["violations"]
            for n, node in enumerate(each["nodes"][:3])
        ]

    def _console(self, message: Any) -> None:
        # What the browser says of an answer's status is said by `_answered` already.
        if message.type == "error" and "the server responded with a status" not in message.text:
            self.complaints.append(f"the console says: {message.text[:160]}")

    def _failed(self, request: Any) -> None:
        if request.failure and "ERR_ABORTED" not in request.failure and "ERR_INTERNET" not in request.failure:
            self.complaints.append(f"{request.url.removeprefix(self._base)} failed: {request.failure}")

    def _answered(self, answer: Any) -> None:
        if answer.status >= 400 and not answer.request.is_navigation_request():
            self.complaints.append(f"{answer.url.removeprefix(self._base)} answers {answer.status}")


def _why(node: dict[str, Any]) -> str:
    return " ".join(str(node.get("failureSummary", "")).split()[:32])


def main() -> None:
    given = arguments()
    connect()
    from django.conf import settings

    if not given.fresh:
        furnish()
    people = visitors()
    found = Found()
    began = time.monotonic()
    wanted = [
        route
        for route in routes()
        if any(word in route for word in given.only) and not any(word in route for word in given.skip)
    ]
    all_places = places(people, wanted)
    pages = [place for place in all_places if place.is_page]
    with chromium() as browser:
        eyes = Eyes(browser, settings.BASE_URL, given.pictures)
        for place in pages:
            role = next(role for role, status in place.roles.items() if status == 200)
            for number, address in enumerate(place.addresses):
                name = place.route if number == 0 else f"{place.route} ({address})"
                look_at(
                    eyes,
                    found,
                    name,
                    visitor=people[role],
                    address=address,
                    looks=STATES if number or given.quick else LOOKS,
                )
                if any(place.route.startswith(start) for start in NUMBERS):
                    on_paper(eyes, found, name, visitor=people[role], address=address)
                found.tell(name)
            if given.roles:
                other_roles(eyes, people, place, role, found)
            if not given.fresh:
                send_empty(eyes, people[role], place, found)
        if given.only == [""]:
            states(eyes, people, found)
    sys.exit(report(all_places, pages, found, seconds=time.monotonic() - began))


def look_at(
    eyes: Eyes, found: Found, name: str, *, visitor: Visitor, address: str, looks: tuple[Look, ...], status: int = 200
) -> None:
    opened: dict[int, Any] = {}
    for look in looks:
        tab = eyes.tab(visitor, look)
        try:
            if id(tab) not in opened:
                opened[id(tab)] = tab
                tab.set_viewport_size({"width": look.width, "height": 900})
                eyes.open(tab, address, status)
            found.note(name, look, eyes.see(tab, look, name))
        except Exception as broken:
            found.note(name, look, [f"it could not be looked at: {str(broken).splitlines()[0][:120]}"])


def on_paper(eyes: Eyes, found: Found, name: str, *, visitor: Visitor, address: str) -> None:
    forced = Look(1280, whole=True)
    tab = eyes.tab(visitor, forced, forced_colors="active")
    eyes.open(tab, address)
    found.note(name, "forced colours", eyes.see(tab, forced, f"{name} forced"))
    tab = eyes.tab(visitor, forced)
    # A4 across without its margins, at 96 px an inch.
    sheet = Look(1032)
    eyes.open(tab, address)
    said = eyes.see(tab, sheet, name, media="print")
    if not tab.locator(".on-paper").is_visible():
        said.append("what is printed has no foot with its number and the time it was true")
    found.note(name, "print", said)
    tab.emulate_media(media="screen")


def other_roles(eyes: Eyes, people: dict[str, Visitor], place: Place, first: str, found: Found) -> None:
    for role, status in place.roles.items():
        if role != first and status == 200:
            name = f"{place.route} as {role}"
            look_at(eyes, found, name, visitor=people[role], address=place.addresses[0], looks=OTHER_ROLES)
            found.tell(name)


def send_empty(eyes: Eyes, visitor: Visitor, place: Place, found: Found) -> None:
    """Its first form that asks for something, sent without it: the answer has to say so, and be a page like every other."""
    look = Look(1280, whole=True)
    tab = eyes.tab(visitor, look)
    eyes.open(tab, place.addresses[0])
    asks = tab.evaluate("""() => {
      const field = document.querySelector("form[method=post] :is(input:not([type]), input[type=text], input[type=email], input[type=url], textarea)[required]");
      if (field) { field.value = ""; field.removeAttribute("required"); }
      return Boolean(field) && field.form.setAttribute("data-sent", "") === undefined;
    }""")
    if not asks:
        return
    name = f"{place.route}, sent empty"
    eyes.complaints.clear()
    try:
        with tab.expect_navigation() as sent:
            tab.evaluate("HTMLFormElement.prototype.submit.call(document.querySelector('form[data-sent]'))")
        status = sent.value.status
    except Exception as broken:
        found.note(name, look, [f"it could not be sent: {str(broken).splitlines()[0][:120]}"])
        found.tell(name)
        return
    is_told = status in {400, 404, 422} or tab.locator(".notice.is-bad, [role=alert]").count()
    wrong = [] if is_told else [f"it answers {status}, and not what is missing"]
    found.note(name, look, wrong + eyes.see(tab, look, name))
    narrow = Look(390, whole=True)
    found.note(name, narrow, eyes.see(tab, narrow, name))
    found.tell(name)


def states(eyes: Eyes, people: dict[str, Visitor], found: Found) -> None:
    """What no address says: lists that find nothing, refusals, failures, and no network."""
    admin, nobody = people["admin"], people["nobody"]
    agent = people.get("agent", admin)
    cases = [
        ("nothing found", admin, "/triage/?q=zzzzqqqq", 200),
        ("a search that is wrong", admin, "/triage/?q=foo%3Abar", 200),
        ("snoozed", admin, "/triage/?q=is%3Asnoozed", 200),
        ("unsure", admin, "/triage/?q=suggest%3Aunsure", 200),
        ("compared with last year", admin, "/kpis/?against=year", 200),
        ("a span without data", admin, "/kpis/?from=2015-01-01&to=2015-02-01", 200),
        ("not found, for nobody", nobody, "/nothing/here/", 404),
        ("not found, for staff", admin, "/nothing/here/", 404),
        ("a ticket that is not there", admin, "/triage/F-999999999/", 404),
        ("a private page that is not there", nobody, "/t/not-a-real-token/", 404),
        ("not allowed", agent, "/settings/people/", 403),
        ("a link that is used up", nobody, "/sign-in/?next=/kpis/", 200),
    ]
    for name, visitor, address, status in cases:
        look_at(eyes, found, name, visitor=visitor, address=address, looks=STATES, status=status)
        found.tell(name)
    failed(eyes, nobody, found)
    offline(eyes, nobody, found)


def failed(eyes: Eyes, nobody: Visitor, found: Found) -> None:
    """The pages of a portal that cannot answer, as Django draws them without a request."""
    from django.template.loader import render_to_string
    from django.utils import translation

    for code in (400, 500, 503):
        for look in STATES:
            with translation.override(look.language):
                drawn = render_to_string(
                    f"{code}.html", {"language": look.language, "direction": "rtl" if look.language == "ar" else "ltr"}
                )
            tab = eyes.tab(nobody, look)
            answer = partial(_answer, status=code, body=drawn)
            tab.route("**/broken/", answer)
            eyes.open(tab, "/broken/", code)
            found.note(f"answer {code}", look, eyes.see(tab, look, f"answer-{code}"))
            tab.unroute("**/broken/", answer)
        found.tell(f"answer {code}")


def _answer(route: Any, *, status: int, body: str) -> None:
    route.fulfill(status=status, body=body, content_type="text/html")


def offline(eyes: Eyes, nobody: Visitor, found: Found) -> None:
    """The public form opened again without a network."""
    from intake.models import Form

    form = Form.objects.filter(state="published").order_by("-pk").first()
    if form is None:
        return
    for look in STATES:
        tab = eyes.tab(nobody, look)
        eyes.open(tab, f"/f/{form.slug}/")
        with suppress(Exception):
            tab.evaluate("navigator.serviceWorker.ready.then(() => true)")
        tab.wait_for_timeout(800)
        eyes.open(tab, f"/f/{form.slug}/")
        tab.context.set_offline(True)
        try:
            eyes.open(tab, f"/f/{form.slug}/")
            found.note("the form without a network", look, eyes.see(tab, look, "offline-form"))
        except Exception as broken:
            found.note("the form without a network", look, [f"it does not open: {str(broken).splitlines()[0][:100]}"])
        finally:
            tab.context.set_offline(False)
    found.tell("the form without a network")


def report(all_places: list[Place], pages: list[Place], found: Found, *, seconds: float) -> int:
    """Prints what was no page and why, and the table; 1 where something was found."""
    print("\nNo pages:")
    for place in all_places:
        if not place.is_page and place.kind != "for programs":
            print(f"  {place.route}: {place.kind}")
    rooms: dict[str, list[str]] = defaultdict(list)
    for name in found.looks:
        rooms[name.split("/")[0] if "/" in name else "states"].append(name)
    print(f"\n{'':28}{'pages':>7}{'looks':>8}{'findings':>10}")
    for room, names in sorted(rooms.items()):
        print(
            f"{room or 'start page':28}{len(names):>7}{sum(found.looks[name] for name in names):>8}"
            f"{sum(len(found.lines.get(name, {})) for name in names):>10}"
        )
    wrong = sum(map(len, found.lines.values()))
    print(f"{'all':28}{len(found.looks):>7}{sum(found.looks.values()):>8}{wrong:>10}")
    programs = sum(place.kind == "for programs" for place in all_places)
    print(
        f"{len(all_places)} routes: {len(pages)} are pages that were looked at, {programs} are for programs;"
        f" {seconds / 60:.0f} minutes"
    )
    return 1 if wrong else 0


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""], metavar="WORD", help="routes that hold one of these")
    parser.add_argument("--skip", nargs="*", default=[], metavar="WORD", help="and none of these")
    parser.add_argument("--pictures", type=Path, help="where to keep a picture of each look that is whole")
    parser.add_argument("--quick", action="store_true", help="five looks at each page instead of twenty")
    parser.add_argument("--roles", action="store_true", help="the pages of every other role as well")
    parser.add_argument("--fresh", action="store_true", help="add nothing to the portal")
    return parser.parse_args()


if __name__ == "__main__":
    main()
