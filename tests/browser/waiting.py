"""How long a test waits for a browser, and what it waits for when no locator can say it."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

PATIENCE = 30_000
"""Milliseconds, for whatever is waited for: a loaded machine is slow, and a condition that holds costs nothing."""
NOTHING = "/nothing-is-here/"


def wait_until(page: "Page", holds: Callable[[], object]) -> None:
    """Asks from outside, again and again, while the browser goes on: for requests, for rows, for a page whose clock stands."""
    end = time.monotonic() + PATIENCE / 1000
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"It never held on {page.url}.")
        page.wait_for_timeout(20)


def hold(page: "Page", address: str) -> "list[Route]":
    """Requests to this address wait until the test lets them go. They come in a moment after the page has made them."""
    held: list[Route] = []
    seen: list[Route] = []

    def keep(route: "Route") -> None:
        held.append(route)

    def answer(route: "Route") -> None:
        seen.append(route)
        route.fulfill(status=204)

    def is_held() -> bool:
        let_requests_out(page)
        return bool(seen)

    page.route(address, keep)
    # A page that is open already hears of it a moment later, and until then its requests pass by.
    page.route(f"**{NOTHING}", answer)
    wait_until(page, is_held)
    page.unroute(f"**{NOTHING}")
    return held


def let_requests_out(page: "Page") -> None:
    """Returns when everything that the page has asked for so far is seen by `hold`: a page's requests leave in their order."""
    page.evaluate("(path) => fetch(path).then(() => 0)", NOTHING)


def stop_clock(page: "Page") -> None:
    """Before a page is opened: its clock stands and moves by `page.clock.run_for` alone, where one that is only installed goes on.
    Scripts that wait for a timer, as axe does, need `page.clock.resume` first."""
    now = timezone.now()
    page.clock.install(time=now - timedelta(minutes=10))
    page.clock.pause_at(now)
