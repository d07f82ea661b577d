"""What the desk promises, check by check, on the real pages with real rows behind them: the tests are the list."""

import base64
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role, Team, User
from feedback_portal.codes import ticket_number
from intake import attachments, normalizing, receiving, surveys
from intake.models import Attachment, FeedbackItem, Form, Submission
from tests.browser.waiting import stop_clock, wait_until
from tests.browser.wire import Wire, wired
from tests.intake.pictures import exif
from tests.kpis.conftest import happened, recount, season
from tests.makers import actor, make_channel, make_customer, make_person, make_team, make_ticket
from tests.triage.events_process import EventsProcess, events_process
from triage.decisions import decide
from triage.desk import bulk
from triage.models import ActionLink, Analysis, Event, NotTheSame, Tagging, Ticket

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect
Desk = Callable[..., "Page"]


@pytest.fixture
def quality(transactional_db: None) -> Team:
    make_team("logistics")
    return make_team("quality")


@pytest.fixture
def desk(new_context: "Callable[..., BrowserContext]", live_server: Any) -> Desk:
    """A page of this person, signed in by a session as the sign-in form would leave them."""

    def sit_down(person: User, *, url: str = "", **device: Any) -> "Page":
        client = Client()
        client.force_login(person)
        name = django_settings.SESSION_COOKIE_NAME
        context = new_context(**device)
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url or live_server.url}])
        return context.new_page()

    return sit_down


@pytest.fixture(scope="module")
def process(django_db_setup: None, django_db_blocker: Any) -> Iterator[EventsProcess]:
    with django_db_blocker.unblock(), events_process(PORTAL_EVENTS_PORT="1") as started:
        yield started


@pytest.fixture
def wire(live_server: Any) -> Iterator[Wire]:
    with wired(live_server.thread.host, live_server.thread.port) as wire:
        yield wire


def seed(count: int, team: Team) -> None:
    """Undecided items that a rule has proposed this team for."""
    because = {"by": "rule", "rule": "Leaks", "topic": None, "reason": "", "tried": 1, "held": []}
    for number in range(count):
        at = timezone.now() - timedelta(hours=1)
        make_ticket(f"Water under machine {number}", team=team, at=at, explanation=because)


def wait_for_item(page: "Page", reference: str) -> None:
    page.locator(f"#item[data-reference={reference}]").wait_for()
    expect(page.locator(f"#open-{reference}")).to_be_focused()


WATCH_FOCUS = """() => {
    window.focused = [];
    const look = () => {
        const here = document.activeElement, name = here === document.body ? "body" : here.id || here.name || here.className;
        if (name !== focused.at(-1)) focused.push(name);
        requestAnimationFrame(look);
    };
    look();
}"""
"""Writes down where the focus is whenever it has moved: every frame that a reader could see."""


def test_1_twenty_items_are_placed_by_keyboard_alone_and_the_focus_is_never_on_the_body(
    desk: Desk, quality: Team
) -> None:
    seed(20, quality)
    page = desk(make_person("Tariq", quality))
    page.goto("/triage/")
    rows = [str(row.get_attribute("data-reference")) for row in page.locator(".row").all()]
    wait_for_item(page, rows[0])
    page.evaluate(WATCH_FOCUS)

    def keep() -> None:
        page.keyboard.press("Enter")

    def route() -> None:
        page.keyboard.press("r")
        page.locator("#sheet[open] [name=team]").first.wait_for()
        page.keyboard.press("l")
        page.keyboard.press("Enter")

    def answered() -> None:
        page.keyboard.press("e")
        page.locator("#sheet[open] [name=resolution]").first.wait_for()
        page.keyboard.press("a")
        page.keyboard.press("Enter")

    def put_off() -> None:
        page.keyboard.press("h")
        page.locator("#sheet[open] [name=until]").first.wait_for()
        page.keyboard.press("Enter")

    ways = [route, answered, put_off, keep, keep]
    for place, following in enumerate([*rows[1:], ""]):
        ways[place % len(ways)]()
        if following:
            wait_for_item(page, following)
    page.get_by_text("Everything for you is decided").wait_for()

    focused = page.evaluate("window.focused")
    assert "body" not in focused
    assert len(focused) > 20
    assert not Ticket.objects.undecided().exists()
    placed = Ticket.objects.select_related("team").values_list("team__slug", "status")
    assert {(team, status): list(placed).count((team, status)) for team, status in placed} == {
        ("logistics", "open"): 4,
        ("quality", "resolved"): 4,
        ("quality", "snoozed"): 4,
        ("quality", "open"): 8,
    }


def test_2_two_browsers_on_one_item_see_each_other_within_two_seconds_and_lose_nothing(
    desk: Desk, process: EventsProcess, settings: Any, quality: Team
) -> None:
    settings.EVENTS_PORT = process.port
    ticket = make_ticket("Water under the machine", team=quality, at=timezone.now() - timedelta(hours=1))
    his, hers = desk(make_person("Tariq", quality)), desk(make_person("Mina", quality))
    stop_clock(his)
    for page in (his, hers):
        page.goto(f"/triage/?item={ticket.reference}")
        page.locator("main[data-live=stream]").wait_for()

    # Of his page's own time, which stands still but for these steps, two seconds go by and not one more.
    for _ in range(40):
        his.clock.run_for(50)
        his.wait_for_timeout(50)
        if his.locator("#here .is-viewing").count():
            break
    expect(his.locator("#here .is-viewing")).to_contain_text("Mina looks at it", timeout=100)
    expect(his.locator(f"#here-{ticket.reference} .is-viewing")).to_have_count(1)
    his.clock.resume()
    expect(hers.locator("#here .is-viewing")).to_contain_text("Tariq")

    hers.locator("#compose-text").fill("We are looking into")
    expect(his.locator("#here .is-replying .words")).to_have_text("Mina is replying")
    expect(his.locator(f"#here-{ticket.reference} .words")).to_have_text("Mina is replying")
    expect(his.locator("#announcer")).to_contain_text("Mina is replying")

    his.locator("#compose-text").fill("Please send us the number on the plate.")
    hers.locator("#compose-text").press("Control+Enter")
    his.locator("#changed", has_text="Mina wrote to the customer").wait_for()
    expect(his.locator("#compose-text")).to_have_value("Please send us the number on the plate.")

    # He has not looked and sends his own: he is told first, and does it all the same.
    his.locator("#compose-text").press("Control+Enter")
    conflict = his.locator("[data-conflict]")
    expect(conflict).to_contain_text("Mina wrote to the customer")
    expect(conflict).to_be_focused()
    his.keyboard.press("Shift+Enter")
    expect(conflict).to_have_count(0)
    expect(his.locator("#compose-text")).to_have_value("")
    said = Event.objects.filter(ticket=ticket, type="reply").order_by("pk").values_list("person__name", "data__text")
    assert list(said) == [
        ("Mina", "We are looking into"),
        ("Tariq", "Please send us the number on the plate."),
    ]

    hers.close()
    expect(his.locator("#here")).to_be_empty()


def rows_now() -> list[Any]:
    """Everything that decisions change, but for the number of the state, which only ever grows."""
    tickets = [{**row, "version": 0} for row in Ticket.objects.order_by("pk").values()]
    taggings = Tagging.objects.standing().order_by("pk").values_list("item", "topic")
    links = ActionLink.objects.filter(unlinked_at=None).order_by("pk").values_list("action", "ticket")
    return [tickets, *taggings, *links, *NotTheSame.objects.order_by("pk").values_list("pk")]


def make_many(count: int, team: Team) -> None:
    at, channel = timezone.now() - timedelta(hours=2), make_channel()
    submissions = Submission.objects.bulk_create(
        Submission(
            channel=channel,
            external_id=f"m-{number}",
            payload=b"",
            content_type="",
            sha256=b"",
            tracking_hash=f"m-{number}",
        )
        for number in range(count)
    )
    items = FeedbackItem.objects.bulk_create(
        FeedbackItem(
            submission=each,
            channel=channel,
            text=f"Drips {number}",
            excerpt=f"Drips {number}",
            submitted_at=at,
            received_at=at,
        )
        for number, each in enumerate(submissions)
    )
    Analysis.objects.bulk_create(Analysis(item=item, language="en") for item in items)
    Ticket.objects.bulk_create(Ticket(item=item, team=team, due_at=at, received_at=at) for item in items)


def test_3_undo_brings_every_row_back_after_route_merge_a_bulk_of_500_and_a_reload(desk: Desk, quality: Team) -> None:
    make_many(500, quality)
    before = rows_now()
    page = desk(make_person("Tariq", quality, make_team("logistics")))
    page.goto("/triage/")
    page.locator(".row").nth(1).wait_for()
    first, second = (str(row.get_attribute("data-reference")) for row in page.locator(".row").all()[:2])

    def take_back() -> None:
        assert rows_now() != before
        page.keyboard.press("z")
        page.locator("#toast", has_text=re.compile("Took back|put back|Putting them back")).wait_for()
        bulk.work_pending(at=timezone.now())
        assert rows_now() == before

    page.keyboard.press("r")
    page.locator("#sheet[open] [name=team]").first.wait_for()
    page.keyboard.press("l")
    page.keyboard.press("Enter")
    wait_for_item(page, second)
    take_back()

    wait_for_item(page, first)
    page.keyboard.press("m")
    page.locator("#sheet[open] #original").fill(second)
    page.keyboard.press("Enter")
    wait_for_item(page, second)
    take_back()

    wait_for_item(page, first)
    page.keyboard.press("r")
    page.locator("#sheet[open] [name=team]").first.wait_for()
    page.keyboard.press("l")
    page.keyboard.press("Enter")
    wait_for_item(page, second)
    page.goto("/triage/")
    wait_for_item(page, second)
    take_back()

    page.keyboard.press("Space")
    page.get_by_label("All 500 that match").check()
    page.get_by_label("Team", exact=True).select_option("logistics")
    page.locator("#bulk").get_by_role("button", name="Route").click()
    page.locator("#toast", has_text="500 items, in the background").wait_for()
    bulk.work_pending(at=timezone.now())
    assert Ticket.objects.filter(team__slug="logistics").count() == 500
    page.goto("/triage/")
    page.get_by_text("Everything for you is decided").wait_for()
    take_back()


def test_4_a_decision_made_while_the_network_went_away_arrives_once(desk: Desk, quality: Team, wire: Wire) -> None:
    seed(4, quality)
    page = desk(make_person("Tariq", quality), url=wire.url)
    page.goto(f"{wire.url}/triage/")
    first, second, third, _ = (str(row.get_attribute("data-reference")) for row in page.locator(".row").all())
    wait_for_item(page, first)
    waiting = page.locator("#waiting-words")

    # The portal hears it, and the answer is lost.
    wire.deafen()
    page.keyboard.press("Enter")
    expect(waiting).to_contain_text("Decisions waiting: 1")
    wait_until(page, lambda: Event.objects.filter(type="triaged").count() == 1)
    wire.mend()
    page.locator("#send-waiting").click()
    wait_for_item(page, second)
    expect(page.locator("#waiting")).to_be_hidden()
    expect(page.locator(f"#row-{first}")).to_have_count(0)

    # The portal hears nothing of two decisions about one item, and somebody else takes the next one meanwhile.
    wire.cut()
    page.locator("#compose-text").fill("Is the new seal in stock?")
    page.keyboard.press("Control+Enter")
    expect(waiting).to_contain_text("Decisions waiting: 1")
    expect(page.locator("#compose-text")).to_have_value("")
    page.locator("#accept-button").click()
    expect(waiting).to_contain_text("Decisions waiting: 2")
    expect(page.locator(f"#open-{third}")).to_be_focused()
    assert not Event.objects.filter(ticket=ticket_number(second)).exists()
    wire.mend()
    page.reload()

    expect(page.locator("#waiting")).to_be_hidden()
    wait_for_item(page, third)
    counted = Event.objects.filter(source="person").values_list("type", flat=True)
    assert sorted(counted) == ["reply", "triaged", "triaged"]
    assert Event.objects.get(type="reply").data["text"] == "Is the new seal in stock?"

    # What somebody else decided meanwhile is told when the network is back, and theirs stays with Enter.
    wire.cut()
    page.keyboard.press("Enter")
    expect(waiting).to_contain_text("Decisions waiting: 1")
    decide(third, "claim", by=actor(make_person("Mina", quality)), at=timezone.now())
    wire.mend()
    page.locator("#send-waiting").click()
    expect(page.locator("#disputed [data-conflict]")).to_contain_text("Mina")
    page.locator("#disputed").get_by_role("link", name="Keep it so").click()
    expect(page.locator("#waiting")).to_be_hidden()
    assert Event.objects.filter(person__name="Tariq").count() == 3


# Of what an address leads to: the number that is written on it, and the rows that are listed there.
COUNT_LISTS = """async () => {
    const read = async (url) => new DOMParser().parseFromString(await (await fetch(url)).text(), "text/html");
    const links = (page, part) => [...page.querySelectorAll("main a")].filter((link) => link.getAttribute("href")?.includes(part));
    const addresses = links(document, "/kpis/").map((link) => link.getAttribute("href")).filter((href) => /^\\/kpis\\/[a-z-]+\\/\\?/.test(href));
    const pages = [document, ...(await Promise.all([...new Set(addresses)].map(read)))];
    const found = {};
    for (const link of pages.flatMap((page) => [...links(page, "/items/"), ...links(page, "/kpis/backlog/")])) {
        const [number] = /^\\s*\\d+\\s*$/.exec(link.firstChild?.data) || [];
        if (number) found[`${link.getAttribute("href")} says ${Number(number)}`] ??= [Number(number), link.getAttribute("href")];
    }
    for (const one of Object.values(found)) one.push((await read(one[1])).querySelectorAll("main table tbody tr").length);
    return Object.values(found);
}"""


def test_5_each_number_opens_a_list_of_its_length_and_a_report_keeps_its_digits(desk: Desk, quality: Team) -> None:
    season()
    page = desk(make_person("Greta", role=Role.MANAGER))
    page.goto("/kpis/?team=logistics")
    found = page.evaluate(COUNT_LISTS)
    assert all("team=logistics" in url for _, url, _ in found)
    page.goto("/kpis/")
    found += page.evaluate(COUNT_LISTS)
    assert len(found) > 10
    assert [(url, number, listed) for number, url, listed in found if number != listed] == []

    page.goto("/kpis/reports/")
    page.get_by_label("Name").fill("First week")
    page.get_by_role("button", name="Freeze").click()
    page.wait_for_url("**/kpis/reports/R-*/")
    digits = page.locator("main table").all_inner_texts()
    page.goto("/kpis/items-received/")
    received = page.locator(".kpi-facts .facts").inner_text()

    with time_machine.travel(timezone.now() + timedelta(days=1), tick=True):
        for number in range(4):
            late = make_ticket("Late", team=quality, at=timezone.now() - timedelta(days=2 + number))
            happened(late, "triaged", after=timedelta(hours=1))
        recount(12)
        page.reload()
        assert page.locator(".kpi-facts .facts").inner_text() != received
        page.goto("/kpis/reports/")
        page.get_by_role("link", name=re.compile("^R-")).click()
        page.wait_for_url("**/kpis/reports/R-*/")
        assert page.locator("main table").all_inner_texts() == digits


OVERLAPPING = """() => {
    const found = [];
    const words = (element) => `${element.tagName} ${element.textContent.trim().slice(0, 40)}`;
    const floats = (element) => {
        for (let one = element; one; one = one.parentElement) if (/fixed|sticky/.test(getComputedStyle(one).position)) return one;
    };
    const range = document.createRange(), lines = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement;
        if (!node.data.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.closest(".vh, option, script, svg")) continue;
        range.selectNodeContents(node);
        for (const box of range.getClientRects()) {
            let { left, right, top, bottom } = box;
            for (let around = element; around !== document.body; around = around.parentElement) {
                if (getComputedStyle(around).overflow === "visible") continue;
                const edge = around.getBoundingClientRect();
                [left, right, top, bottom] = [Math.max(left, edge.left), Math.min(right, edge.right), Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
            }
            if (right - left > 2 && bottom - top > 2) lines.push({ element, left, right, top, bottom, float: floats(element) });
        }
    }
    lines.forEach((one, place) => {
        for (const other of lines.slice(place + 1)) {
            const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
            const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
            // What floats goes over what scrolls below it; letters of two lines may touch.
            if (one.element !== other.element && one.float === other.float && wide > 2 && high > 0.4 * Math.min(one.bottom - one.top, other.bottom - other.top)) found.push(`${words(one.element)} over ${words(other.element)}`);
        }
    });
    for (const control of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
        if (!control.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || control.closest(".vh, svg, [inert], [aria-hidden=true]") || control.matches(".skip, .vh")) continue;
        control.scrollIntoView({ block: "center", inline: "center" });
        const [box] = control.getClientRects();
        const hit = box && document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
        if (box && !(hit && (control.contains(hit) || hit.contains(control) || hit.closest("label")?.contains(control)))) found.push(`${words(control)} is under ${hit && words(hit)}`);
    }
    scrollTo(0, 0);
    return found;
}"""
DEVICES: dict[str, dict[str, Any]] = {
    "the narrowest phone, dark, from right to left": {"width": 320, "height": 640, "color_scheme": "dark", "has_touch": True, "locale": "ar"},
    "a desk at 400 %, in forced colours": {"width": 320, "height": 256, "device_scale_factor": 4, "forced_colors": "active"},
}  # fmt: skip


def test_6_nothing_overlaps_or_scrolls_sideways_narrow_zoomed_mirrored_dark_and_in_forced_colours(
    desk: Desk, quality: Team, assert_accessible: "Callable[[Page], None]"
) -> None:
    season(2)
    ticket = make_ticket("المقبض انكسر (Halden 2).", team=quality, at=timezone.now(), item_customer=make_customer())
    tracking = f"/t/{receiving.tracking_token(ticket.item.submission)}/"
    addresses = ("/triage/", f"/triage/?item={ticket.reference}", "/kpis/", tracking, "/f/feedback/")
    surveys.furnish()
    ines = make_person("Ines", quality, role=Role.ADMIN)
    for device, options in DEVICES.items():
        User.objects.filter(pk=ines.pk).update(language=options.get("locale", "en"))
        page = desk(ines, **options)
        for address in addresses:
            answer = page.goto(address)
            assert answer is not None
            assert answer.ok, address
            if "locale" in options and address.startswith("/f/"):
                # A form speaks the languages its maker gave it; here it is only mirrored.
                page.evaluate("document.documentElement.dir = 'rtl'")
            assert (page.evaluate("document.documentElement.dir") == "rtl") is ("locale" in options)
            assert_accessible(page)
            assert page.evaluate(OVERLAPPING) == [], f"{address} on {device}"


def test_7_a_form_sent_offline_on_a_phone_is_one_item_with_a_photo_that_tells_no_place(
    new_context: "Callable[..., BrowserContext]",
    quality: Team,
    wire: Wire,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(surveys, "QUICKEST", timedelta())  # a program writes as quickly as this
    surveys.furnish()
    form = Form.objects.select_related("channel").get(slug="feedback")
    phone = new_context(width=390, height=844, has_touch=True).new_page()
    phone.goto(f"{wire.url}/f/feedback/")
    kept = """async () => {
        const kept = await Promise.all([location.href, document.querySelector("script[src]").src].map((url) => caches.match(url)));
        return navigator.serviceWorker.controller && kept.every(Boolean);
    }"""
    wait_until(phone, lambda: phone.evaluate(kept))

    wire.cut()
    phone.goto(f"{wire.url}/f/feedback/")
    drawn = phone.evaluate("""() => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 2400, height: 1200 });
        canvas.getContext("2d").fillRect(0, 0, 2400, 1200);
        return canvas.toDataURL("image/jpeg").split(",")[1];
    }""")
    taken = base64.b64decode(drawn)
    photo = tmp_path / "tank.jpg"
    photo.write_bytes(taken[:2] + exif(1) + taken[2:])
    assert b"GPS 52.5200 N" in photo.read_bytes()
    phone.get_by_text("Poor").click()
    phone.get_by_role("button", name="Next").click()
    phone.get_by_label("What happened?").fill("It leaks in the tunnel")
    phone.get_by_role("button", name="Next").click()
    phone.locator("#q-photo").set_input_files(photo)
    phone.wait_for_function(
        "(size) => document.querySelector('#q-photo').files[0]?.size !== size", arg=photo.stat().st_size
    )
    phone.get_by_label("E-mail address").fill("ana@example.com")
    phone.get_by_role("button", name="Send").click()
    phone.get_by_role("heading", name="Saved on this phone, sent when you are back").wait_for()
    assert not Submission.objects.exists()

    wire.mend()
    phone.goto(f"{wire.url}/f/feedback/")
    phone.get_by_text("What you saved here while you were offline was sent.").wait_for()
    normalizing.normalize_pending(at=timezone.now())
    item = FeedbackItem.objects.get()
    assert (item.text, item.channel_id) == ("It leaks in the tunnel", form.channel_id)
    stored = b"".join(attachments.download(Attachment.objects.get()))  # type: ignore[arg-type]
    assert b"GPS" not in stored
    assert stored.startswith(b"\xff\xd8")
    assert phone.evaluate("outbox.waiting()") == []
    # Not even the draft is left for the next person.
    expect(phone.get_by_label("What happened?")).to_have_value("")
    phone.get_by_role("link", name="Open your private link").click()
    phone.get_by_role("heading", name="Thank you. We have it.").wait_for()
