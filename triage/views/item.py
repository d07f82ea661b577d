"""The open item as the workbench shows it: the words, why they are here, what was done, what may be done."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, gettext_lazy, ngettext

from feedback_portal.accounts.models import User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import in_a_line, within
from intake.models import Customer, FeedbackItem
from intake.whole_mails import is_mail
from triage import deeds, duplicates, lifecycle
from triage.connecting import issues
from triage.finding.mentioned import MOST_COUNTED, named_by
from triage.lifecycle import Status, Verb, WhyNot, WhyRouted
from triage.models import Action, ActionLink, Analysis, Event, Tagging, ThemeMember, Ticket
from triage.originals import may_open
from triage.routing.reasons import reason_of
from triage.routing.why import Why, why
from triage.telling.notices import handle, mentionable
from triage.views.because import because
from triage.views.beside import FOR_EVERY_TEAM, beside
from triage.views.deeds import shown
from triage.views.queue import due
from triage.views.suggestion import suggestion

SEVERITIES = {
    1: gettext_lazy("S1, somebody may be harmed"),
    2: gettext_lazy("S2, function lost"),
    3: gettext_lazy("S3, annoying"),
    4: gettext_lazy("S4, a wish"),
}
_KINDS = {
    "batch": gettext_lazy("Batch"),
    "order": gettext_lazy("Order"),
    "serial": gettext_lazy("Serial number"),
    "site": gettext_lazy("Site"),
    "product": gettext_lazy("Product"),
    "version": gettext_lazy("Version"),
}
_MOST_EVENTS = 200
_MOST_NAMED = 8

_ICONS = {
    Event.Type.RECEIVED: "mail",
    Event.Type.CHANGED: "mail",
    Event.Type.RECEIPT: "mail",
    Event.Type.REPLY: "mail",
    Event.Type.TRIAGED: "check",
    Event.Type.ROUTED: "sign",
    Event.Type.REEVALUATED: "retry",
    Event.Type.SPLIT: "sign",
    Event.Type.ASSIGNED: "user",
    Event.Type.TAGGED: "tag",
    Event.Type.UNTAGGED: "tag",
    Event.Type.SEVERITY: "alert",
    Event.Type.NOTED: "note",
    Event.Type.MERGED: "merge",
    Event.Type.UNMERGED: "merge",
    Event.Type.SNOOZED: "clock",
    Event.Type.WOKE: "clock",
    Event.Type.WAITING: "clock",
    Event.Type.CUSTOMER_REPLIED: "mail",
    Event.Type.ACTION_LINKED: "link",
    Event.Type.ACTION_UNLINKED: "link",
    Event.Type.WORK_STARTED: "wrench",
    Event.Type.RESOLVED: "check",
    Event.Type.REOPENED: "retry",
    Event.Type.CLOSED: "check",
    Event.Type.CUSTOMER_TOLD: "mail",
    Event.Type.SCORE: "user",
    Event.Type.DISMISSED: "cross",
    Event.Type.AUDITED: "check",
    Event.Type.ESCALATED: "alert",
    Event.Type.UNDONE: "retry",
}

_ABOUT = {
    "language": gettext_lazy("Language"),
    "sentiment": gettext_lazy("Sentiment"),
    "urgency": gettext_lazy("Urgency"),
    "spam": gettext_lazy("Spam"),
}


def item(ticket: Ticket, actor: Actor, *, at: datetime, is_chosen: bool) -> dict[str, Any]:
    """The context of `_item.html`."""
    about = (
        FeedbackItem.objects.select_related("channel", "customer__account", "submission", "analysis")
        .defer("submission__payload")
        .get(pk=ticket.item_id)
    )
    analysis: Analysis | None = getattr(about, "analysis", None)
    taggings = list(Tagging.objects.standing().filter(item=about).select_related("topic").order_by("-confidence", "pk"))
    others = beside(ticket, actor)
    found = why(ticket, about, analysis, taggings, by=actor, at=at) if analysis is not None else None
    return {
        "reference": ticket.reference,
        "version": ticket.version,
        "seen": ticket.events.order_by("-id").values_list("pk", flat=True).first() or 0,
        "title": about.headline,
        "is_chosen": is_chosen,
        "verbs": verbs(ticket, actor),
        "segments": segments(about.text, _marks(ticket, found, analysis)),
        "language": analysis.language if analysis and analysis.language != "und" else "",
        "customer": _customer(about.customer),
        "channel_name": about.channel.name,
        "received_at": about.received_at,
        "original_url": reverse("triage:original", args=[ticket.reference])
        if may_open(about.submission, by=actor)
        else "",
        "full_message_url": reverse("triage:whole_mail", args=[ticket.reference]) if is_mail(about.submission) else "",
        "attachments": [
            {"name": file.name, "url": reverse("triage:attachment", args=[file.public_id]), "thumbnail_url": ""}
            for file in about.submission.attachments.order_by("pk")
        ],
        "suggestion": suggestion(ticket, taggings, analysis, at=at),
        "mentionable": [
            handle(person)
            for person in mentionable(ticket.team_id).exclude(pk=actor.user.pk if actor.user else 0)[:_MOST_NAMED]
        ],
        "timeline": timeline(ticket, hidden=others.hidden),
        "quote": ticket.explanation.get("quote", ""),
        "beside": others.shown,
        "explanation": because(found) if found else None,
        "outside": list(_outside(taggings, analysis)),
        "status_label": gettext("Untriaged") if ticket.status == Status.NEW else Status(ticket.status).label,
        "stage": str(ticket.stage or ""),
        "team": str(ticket.team),
        "owner": _face(ticket.assignee),
        "severity": {"label": SEVERITIES[ticket.severity], "is_high": ticket.severity <= 2},
        "tags": [tagging.topic.name for tagging in taggings],
        "mentions": [
            {
                "kind": _kind(each.kind),
                "value": each.value,
                "url": f"{reverse('triage:workbench')}?{urlencode({'q': each.query})}" if each.query else "",
                "others": _others(each.others),
            }
            for each in named_by(ticket.item_id, by=actor)
        ],
        "due": due(ticket, at=at),
        "theme": _theme(ticket),
        "merged_into": ticket.merged_into.reference if ticket.merged_into else "",
        "likely": [
            {
                "reference": each.ticket.reference,
                "title": each.ticket.item.headline,
                "score": each.percent,
                "url": reverse("triage:workbench") + f"?item={each.ticket.reference}",
                "detail": in_a_line(each.ticket.team, within(each.ticket.get_status_display())),
                "reason": each.reason,
            }
            for each in (duplicates.likely(ticket, by=actor) if not ticket.merged_into_id else ())
        ],
        "duplicates_title": gettext("Merged into this"),
        "duplicates": [
            {
                "reference": other.reference,
                "title": other.item.headline,
                "score": gettext("merged"),
                "url": reverse("triage:workbench") + f"?item={other.reference}",
                "detail": str(other.team),
            }
            for other in _merged(ticket, actor)
        ],
        "action": _action(ticket),
        "issues": issues.of(ticket),
    }


def _kind(kind: str) -> str:
    """What the patterns call it, as people read it; patterns of one's own have names of one's own."""
    return str(_KINDS.get(kind) or kind.replace("_", " ").capitalize())


def _others(count: int) -> str:
    more = f"{count}+" if count >= MOST_COUNTED else str(count)
    return ngettext("%(count)s more item", "%(count)s more items", count) % {"count": more} if count else ""


def verbs(ticket: Ticket, actor: Actor) -> list[str]:
    """What may be done with it, as the templates name it."""
    found = ["note", "tag"]
    moves = {
        "route": Verb.ROUTE, "resolve": Verb.RESOLVE, "snooze": Verb.SNOOZE, "wake": Verb.WAKE, "merge": Verb.RESOLVE,
        "reopen": Verb.REOPEN, "close": Verb.CLOSE, "ask": Verb.ASK,
    }  # fmt: skip
    found += [name for name, verb in moves.items() if lifecycle.can_move(ticket.status, verb)]
    if ticket.is_open:
        mine = actor.user is not None and ticket.assignee_id == actor.user.pk
        found += ["reply", "link_action", "split", "assign", "release" if mine else "claim"]
    return found


def segments(text: str, marks: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """The text cut where the evidence begins and ends; marks may overlap, lie outside, or be missing."""
    edges = sorted({0, len(text), *(edge for start, end in marks for edge in (start, end) if 0 <= edge <= len(text))})
    cut: list[dict[str, Any]] = []
    for start, end in pairwise(edges):
        marked = any(first <= start and end <= last for first, last in marks)
        if cut and cut[-1]["marked"] == marked:
            cut[-1]["text"] += text[start:end]
        else:
            cut.append({"text": text[start:end], "marked": marked})
    return cut


def timeline(ticket: Ticket, *, hidden: Collection[int] = ()) -> list[dict[str, Any]]:
    """What was said and done, oldest first: events of this ticket and of its item; a decision of several events is one entry
    each. Of tickets that are hidden from the reader, only what is for every team."""
    events: QuerySet[Event] = Event.objects.filter(item=ticket.item_id).select_related(
        "person", "key", "item__customer"
    )
    if hidden:
        events = events.exclude(~Q(type__in=FOR_EVERY_TEAM), ticket__in=hidden)
    rows = list(reversed(events.order_by("-occurred_at", "-id")[:_MOST_EVENTS]))
    names = deeds.names_in(rows)
    return [_entry(event, deeds.told(event, names)) for event in rows]


def _entry(event: Event, told: deeds.Told) -> dict[str, Any]:
    return {
        "icon": _ICONS.get(Event.Type(event.type), "info"),
        "sentence": shown(told.sentence, told.who, told.words),
        "at": event.occurred_at,
        "note": _note(event),
        "is_internal": event.type == Event.Type.NOTED,
    }


def _marks(ticket: Ticket, found: Why | None, analysis: Analysis | None) -> list[tuple[int, int]]:
    """Where in the text the evidence stands: of whatever brought it here, until a person did, and of what made it urgent."""
    spans = list(found.marks) if found is not None and found.by not in {"person", "split"} else []
    if analysis is not None and analysis.urgency >= 2 and ticket.status == Status.NEW:
        given = [each for told in analysis.evidence.get("urgency", []) for each in told.get("evidence", [])]
        spans += [tuple(each["span"]) for each in given if each.get("span")]
    return [(start, end) for part, start, end in spans if part == "text"]


def _outside(taggings: Sequence[Tagging], analysis: Analysis | None) -> Iterator[dict[str, str]]:
    """What models outside said of it, and which: the topic or kind, the model, its server and the version of the prompt."""
    told = [(gettext("“%(topic)s”") % {"topic": tagging.topic.name}, tagging.evidence) for tagging in taggings]
    if analysis is not None:
        told += [(kind, each) for kind, given in analysis.evidence.items() for each in given]
    for about, evidence in told:
        said = evidence.get("grounds", {}).get("outside")
        if said:
            yield {"about": str(_ABOUT.get(about) or about), **said}


def _customer(customer: Customer | None) -> dict[str, Any]:
    if customer is None:
        return {"name": "", "account": "", "value_label": "", "open_items": 0, "last_score": "", "language": ""}
    account = customer.account
    open_items = Ticket.objects.open().filter(item__customer=customer)[:100].count()
    scored = FeedbackItem.objects.filter(customer=customer).exclude(rating_scale="").order_by("-received_at").first()
    return {
        "name": str(customer),
        "account": str(account or ""),
        "value_label": _money(account.value, account.currency) if account else "",
        "open_items": open_items,
        "last_score": _score(scored) if scored else "",
        "language": customer.language,
    }


def _money(value: Decimal | None, currency: str) -> str:
    if value is None:
        return ""
    if not currency:
        return gettext("%(value)s a year") % {"value": number_format(value, 0, force_grouping=True)}
    return gettext("%(value)s %(currency)s a year") % {
        "value": number_format(value, 0, force_grouping=True),
        "currency": currency,
    }


def _score(scored: FeedbackItem) -> str:
    highest = {"nps": 10, "csat7": 7, "ces7": 7, "thumbs": 1}.get(scored.rating_scale, 5)
    return gettext("%(value)s of %(highest)s, %(month)s") % {
        "value": f"{scored.rating_value:.0f}",
        "highest": highest,
        "month": date_format(scored.received_at, "F"),
    }


def _merged(ticket: Ticket, actor: Actor) -> list[Ticket]:
    rows = Ticket.objects.visible_to(actor).filter(duplicate_of=ticket.pk).select_related("item", "team")
    return list(rows.defer("item__text").order_by("pk")[:20])


def _theme(ticket: Ticket) -> dict[str, str] | None:
    member = ThemeMember.objects.filter(item=ticket.item_id, theme__isnull=False).select_related("theme").first()
    if member is None or member.theme is None:
        return None
    url = reverse("triage:theme", args=[member.theme.reference])
    return {"name": member.theme.name, "state": member.theme.get_state_display(), "url": url}


def _action(ticket: Ticket) -> dict[str, Any] | None:
    link = (
        ActionLink.objects.filter(ticket=ticket, unlinked_at=None)
        .select_related("action__owner")
        .order_by("-pk")
        .first()
    )
    if link is None:
        return None
    action, here = link.action, Action.Step.values.index(link.action.step)
    count = action.links.filter(unlinked_at=None).count()
    facts = [ngettext("%(count)s linked", "%(count)s linked", count) % {"count": count}]
    if action.due_at:
        facts.append(gettext("due %(day)s") % {"day": date_format(action.due_at, "DAY")})
    if action.owner:
        facts.append(gettext("owner %(name)s") % {"name": action.owner})
    return {
        "reference": action.reference,
        "title": action.title,
        "url": reverse("triage:action", args=[action.reference]),
        "steps": [
            {"name": step.label, "state": "done" if place < here else "now" if place == here else "todo"}
            for place, step in enumerate(Action.Step)
        ],
        "sentence": in_a_line(*facts),
    }


def _note(event: Event) -> str:
    """Words that somebody wrote, or the reason they chose."""
    chosen = {Event.Type.ROUTED: WhyRouted, Event.Type.DISMISSED: WhyNot}.get(Event.Type(event.type))
    because = event.data.get("because")
    if chosen is not None and because in chosen.values:
        return f"{chosen(because).label}."
    return str(event.data.get("text") or "") or reason_of(event.data)


def _face(person: User | None) -> dict[str, Any] | None:
    return {"name": str(person), "initials": person.initials, "colour": person.colour} if person else None
