"""Settings: the ways in, a form drawn from what each kind asks, and what came through lately."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_POST

from feedback_portal.accounts.permissions import set_up_page
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput
from intake import channels, hooks, normalizing, polling
from intake.connectors import connectors
from intake.connectors.base import Connector, FileConnector, PullConnector, PushConnector
from intake.models import Channel, Delivery, ForgedCalls, Submission

SHOWN = 50
# Fields of a kind stand in the form under names of their own, so that none is taken for a field of ours.
_ASKED = "asked-"
_STATE = (
    "id", "delivery_id", "received_at", "completed_at", "parked_at", "last_error", "ignored_reason", "held", "brought",
)  # fmt: skip


@set_up_page
@require_GET
def all_channels(request: HttpRequest) -> HttpResponse:
    known = {connector.slug: connector.name for connector in connectors.all()}
    rows = [
        {"channel": channel, "kind": known.get(channel.kind, channel.kind)}
        for channel in Channel.objects.order_by("slug")
    ]
    kinds = [{"slug": each.slug, "name": each.name, "way": _way(each)} for each in channels.offered()]
    return render(request, "intake/channels/all.html", {"rows": rows, "kinds": kinds})


@set_up_page
def add(request: HttpRequest, kind: str) -> HttpResponse:
    connector = next((each for each in channels.offered() if each.slug == kind), None)
    if connector is None:
        raise Http404

    def save() -> HttpResponse:
        post = request.POST
        settings, secrets = _asked(connector, post)
        made = channels.create(
            kind, slug=post.get("slug", ""), name=post.get("name", ""), settings=settings, secrets=secrets
        )
        return _done(request, gettext("The channel %(name)s takes feedback in.") % {"name": made.name}, made)

    context = {"kind": connector, "way": _way(connector)}
    return _form(request, "intake/channels/add.html", context, connector, stored={}, kept=frozenset(), save=save)


@set_up_page
def channel(request: HttpRequest, slug: str) -> HttpResponse:
    """One channel: what it is told, its address, how it goes, and what came through lately."""
    found = get_object_or_404(Channel, slug=slug)
    connector = connectors.get(found.kind) if found.kind in connectors else None
    kept = frozenset(found.secrets)

    def save() -> HttpResponse:
        if connector is None:
            raise BadInput(gettext("The portal has no connector of this kind any more, so there is nothing to set."))
        settings, secrets = _asked(connector, request.POST)
        channels.change(found, name=request.POST.get("name", ""), settings=settings, secrets=secrets)
        return _done(request, gettext("%(name)s is saved.") % {"name": found.name}, found)

    is_called = channels.is_called(found)
    deliveries = Delivery.objects.filter(channel=found).only(*_STATE)
    context = {
        "channel": found,
        "kind": connector,
        "way": _way(connector) if connector else "",
        "is_called": is_called,
        "address": channels.address(found),
        "has_old_secrets": any(name.endswith(hooks.OLD) for name in kept),
        "deliveries": [
            {"row": row, **_verdict(row)} for row in deliveries.order_by("-id")[: SHOWN if is_called else 0]
        ],
        "conflicts": set(
            Delivery.objects.filter(channel=found, conflicting_body__isnull=False)
            .order_by("-id")
            .values_list("id", flat=True)[:SHOWN]
        ),
        "forged": ForgedCalls.objects.filter(channel=found).first(),
        "passed_over": Submission.objects.filter(channel=found, ignored_reason__gt="")
        .only("id", "external_id", "received_at", "ignored_reason")
        .order_by("-id")[:SHOWN],
        "standing": polling.standing(found, at=timezone.now()),
    }
    stored = {**found.settings, "name": found.name}
    return _form(request, "intake/channels/one.html", context, connector, stored=stored, kept=kept, save=save)


@set_up_page
@require_POST
def switch(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Channel, slug=slug)
    is_enabled = request.POST.get("is_enabled") == "yes"
    channels.switch(found, is_enabled=is_enabled)
    if is_enabled:
        sentence = gettext("The channel %(name)s takes feedback in again.")
    else:
        sentence = gettext("The channel %(name)s is closed; what it took in stays.")
    return _done(request, sentence % {"name": found.name}, found)


@set_up_page
@require_POST
def new_address(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Channel, slug=slug)
    if not channels.is_called(found):
        raise Http404
    channels.new_address(found)
    return _done(
        request, gettext("There is a new address. Enter it where the old one stands, which leads nowhere now."), found
    )


@set_up_page
@require_POST
def drop_old_secrets(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Channel, slug=slug)
    channels.drop_old_secrets(found)
    return _done(request, gettext("Only the new secret holds from now on."), found)


@set_up_page
@require_POST
def replay_delivery(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    found = get_object_or_404(
        Delivery.objects.select_related("channel").only("id", "channel"), pk=number, channel__slug=slug
    )
    hooks.replay(found)
    return _done(
        request, gettext("The call is taken apart again. Reload this page to see what came of it."), found.channel
    )


@set_up_page
@require_POST
def read_again(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    rows = Submission.objects.select_related("channel").only("id", "channel")
    found = get_object_or_404(rows, pk=number, channel__slug=slug)
    normalizing.read_again([found.pk])
    return _done(request, gettext("It is read again. Reload this page to see what came of it."), found.channel)


def _form(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    connector: Connector | None,
    *,
    stored: Mapping[str, Any],
    kept: frozenset[str],
    save: Callable[[], HttpResponse],
) -> HttpResponse:
    """The page with its form: as it is stored for GET; for POST saved, or as it was typed with what is wrong. A secret that
    was typed is never shown again."""
    errors: dict[str, list[str]] = {}
    values: Mapping[str, Any] = stored
    if request.method == "POST":
        try:
            return save()
        except BadInput as refused:
            for error in refused.errors:
                errors.setdefault(error.path, []).append(error.message)
            errors = errors or {"__all__": [refused.message]}
            values = {name.removeprefix(_ASKED): value for name, value in request.POST.dict().items()}
    fields = [
        {
            "asked": asked,
            "name": _ASKED + asked.name,
            "value": "" if asked.is_secret else values.get(asked.name, "" if stored else asked.default),
            "is_kept": asked.name in kept,
            "errors": errors.get(asked.name, []),
        }
        for asked in (connector.asks if connector else ())
    ]
    context = {**context, "fields": fields, "values": values, "errors": errors}
    return render(request, template, context, status=422 if errors else 200)


def _asked(connector: Connector, post: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What a form says of what the kind asks for: settings and secrets."""
    given = {asked: post.get(_ASKED + asked.name, "") for asked in connector.asks}
    return (
        {asked.name: value for asked, value in given.items() if not asked.is_secret},
        {asked.name: value for asked, value in given.items() if asked.is_secret},
    )


def _verdict(row: Delivery) -> dict[str, str]:
    """What came of a call: how it looks, in a word, and in words."""
    if row.parked_at is not None:
        return {"look": "is-bad", "state": gettext("parked"), "words": row.last_error}
    if row.completed_at is None:
        words = f"{gettext('It waits to be taken apart.')} {row.last_error}".strip()
        return {"look": "is-warn", "state": gettext("waiting"), "words": words}
    if row.ignored_reason:
        return {"look": "", "state": gettext("ignored"), "words": row.ignored_reason}
    if not row.held:
        return {"look": "", "state": gettext("read"), "words": gettext("It held nothing.")}
    words = ngettext(
        "%(count)s item, %(brought)s new or changed", "%(count)s items, %(brought)s new or changed", row.held
    )
    return {
        "look": "is-good",
        "state": gettext("read"),
        "words": words % {"count": row.held, "brought": row.brought},
    }


_WAYS = (
    (PushConnector, marked("It calls us.")),
    (PullConnector, marked("It is asked by us.")),
    (FileConnector, marked("It comes in files.")),
)


def _way(connector: Connector) -> str:
    ways = [gettext(words) for kind, words in _WAYS if isinstance(connector, kind)]
    return " ".join(ways) or gettext("It is sent by programs through the API.")


def _done(request: HttpRequest, sentence: str, channel: Channel) -> HttpResponse:
    messages.success(request, sentence)
    return redirect("intake:channel", channel.slug)
