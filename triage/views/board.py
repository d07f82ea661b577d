"""The public board for everybody, and what colleagues do with it: open it, put a theme on it, take it down."""

import secrets

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from feedback_portal.accounts.permissions import actor_of, set_up_page
from feedback_portal.edge import client_address
from feedback_portal.refusals import BadInput, NotFound
from intake import allowances
from triage import themes
from triage.themes import board
from triage.views.answering import done, errors_of
from triage.views.atom import Entry, atom
from triage.views.settings.shell import show

_COOKIE = "board"
_REMEMBERED = 365 * 24 * 3600
_LONGEST_COOKIE = 200


def context(request: HttpRequest) -> dict[str, object]:
    """Template context: whether public pages lead to the board; asked only by those that do."""
    return {"board_is_open": SimpleLazyObject(lambda: board.board().is_open)}


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """What stands on it, a page at a time; no cookie is set for reading."""
    _require_open()
    posts, following = board.published(voter=_voter(request), cursor=request.GET.get("cursor", ""))
    shown = {"board": board.board(), "posts": posts, "following": following}
    return render(request, "triage/board.html", shown)


@require_safe
def feed(request: HttpRequest) -> HttpResponse:
    """The newest of it as Atom; an entry keeps its id whatever becomes of it."""
    _require_open()
    base = settings.BASE_URL
    entries = [
        Entry(
            title=found.title,
            address=base + reverse("triage:board_post", args=[found.number]),
            text="\n\n".join(words for words in (found.text, str(found.standing.label), found.detail) if words),
            at=found.published_at,
        )
        for found in board.published()[0]
    ]
    title = gettext("What others told %(organisation)s") % {"organisation": settings.ORGANISATION}
    return atom(title, base + reverse("triage:board"), base + reverse("triage:board_feed"), entries)


@require_safe
def post(request: HttpRequest, number: int) -> HttpResponse:
    _require_open()
    found, stands = board.find(number, voter=_voter(request))
    if found is None:
        return HttpResponsePermanentRedirect(reverse("triage:board_post", args=[stands]))
    return render(request, "triage/board_post.html", {"post": found})


@require_POST
def me_too(request: HttpRequest, number: int) -> HttpResponse:
    """Say it, or take it back. The first time the browser gets a signed random number, by which it counts once."""
    _require_open()
    at = timezone.now()
    allowances.use_one(None, client_address(request), at=at, door="board")
    known = _voter(request)
    voter = known or secrets.token_urlsafe(18)
    takes_back = request.POST.get("back") == "yes"
    stands = board.say_me_too(number, voter=voter, at=at, takes_back=takes_back)
    said = (
        gettext("You no longer say so.") if takes_back else gettext("Thank you. You said that it is the same for you.")
    )
    messages.success(request, said)
    response = redirect("triage:board_post", stands)
    if not known and not takes_back:
        response.set_signed_cookie(
            _COOKIE, voter, salt=_COOKIE, max_age=_REMEMBERED, path=reverse("triage:board"), httponly=True,
            secure=settings.SESSION_COOKIE_SECURE, samesite="Lax",
        )  # fmt: skip
    return response


@login_required
@require_http_methods(["GET", "POST"])
def of_theme(request: HttpRequest, reference: str) -> HttpResponse:
    """What the public reads of one theme; to put it there, to change it, to take it down."""
    actor, at = actor_of(request), timezone.now()
    theme = themes.find(reference, by=actor)
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        given = request.POST
        if "take_down" in given:
            board.take_down(reference, by=actor, at=at)
            return done(request, gettext("It no longer stands on the board."), "triage:theme", theme.reference)
        version = given.get("version", "")
        try:
            board.publish(
                reference, by=actor, at=at, title=given.get("title", ""), text=given.get("text", ""),
                version=int(version) if version.isdecimal() and len(version) < 10 else 0,
            )  # fmt: skip
        except BadInput as refused:
            errors = errors_of(refused)
        else:
            return done(request, gettext("It stands on the board."), "triage:theme", theme.reference)
    known = board.post_of(theme)
    # A name the portal proposed is made of customers' words; only one that a person gave is offered.
    stored = {"title": known.title, "text": known.text} if known else {"title": theme.name if theme.is_named else ""}
    stored["version"] = str(known.version if known else 0)
    shown = {
        "theme": theme,
        "post": known,
        "is_open": board.board().is_open,
        "values": stored | (request.POST.dict() if errors else {}),
        "errors": errors,
    }
    return render(request, "triage/theme_board.html", shown, status=422 if errors else 200)


@set_up_page
def set_up(request: HttpRequest) -> HttpResponse:
    known = board.board()

    def save() -> str:
        is_open = "is_open" in request.POST
        board.set_up(by=actor_of(request), at=timezone.now(), is_open=is_open, intro=request.POST.get("intro", ""))
        return gettext("The board is open to everybody.") if is_open else gettext("The board is closed.")

    stored = {"is_open": known.is_open, "intro": known.intro}
    posts, following = board.published(cursor=request.GET.get("cursor", ""))
    shown = {"posts": posts, "following": following}
    return show(request, "board", shown, stored=stored, save=save, to="triage:settings_board")


def _require_open() -> None:
    if not board.board().is_open:
        raise NotFound(gettext("There is no public board here."))


def _voter(request: HttpRequest) -> str:
    """The browser's random number, or nothing where it has none that we signed."""
    if len(request.COOKIES.get(_COOKIE, "")) > _LONGEST_COOKIE:
        return ""
    voter = request.get_signed_cookie(_COOKIE, default="", salt=_COOKIE, max_age=_REMEMBERED)
    return voter or ""
