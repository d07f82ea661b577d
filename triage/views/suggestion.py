"""What the portal proposes on an open item, why, and how often people keep such proposals."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from feedback_portal.accounts.models import Team
from feedback_portal.languages import in_a_line, percent, said, within
from triage.lifecycle import Resolution, Status, WhyNot
from triage.models import Analysis, Tagging, Ticket
from triage.proposals import Kind, Proposal, placing
from triage.routing.reasons import reason_of
from triage.track_record import Record, named, not_worth_proposing, record_of

REASONS = [{"value": value, "label": label} for value, label in WhyNot.choices]


def suggestion(
    ticket: Ticket, taggings: Sequence[Tagging], analysis: Analysis | None, *, at: datetime
) -> dict[str, Any] | None:
    """The context of `_suggestion.html`, or None where nothing is proposed. `taggings` are those that stand, surest first."""
    if ticket.status != Status.NEW or ticket.explanation.get("dismissed"):
        return None
    proposed, is_safety = shown(ticket), ticket.severity == 1
    if proposed is None and not is_safety:
        return None
    record = record_of(proposed, at=at) if proposed is not None else Record()
    if proposed is None or is_safety or proposed.team == ticket.team.slug:
        sentence, reasons = _keep(ticket, named(taggings, poor=not_worth_proposing(at=at)), analysis)
        accept = [("verb", "accept")]
    elif proposed.kind == Kind.SPAM:
        sentence, reasons = gettext("Close it as spam"), [said(str(ticket.explanation.get("spam", "")))]
        accept = [("verb", "resolve"), ("resolution", Resolution.SPAM.value)]
    else:
        sentence = gettext("Send it to %(team)s") % {"team": proposed.of}
        reasons = [
            gettext("Items like this one went there (%(sure)s sure), which is not enough to send it by itself.")
            % {"sure": percent(proposed.sure or 0)}
        ]
        accept = [("verb", "route"), ("team", proposed.team)]
    # What somebody may be hurt by is shown however often such proposals were kept.
    if not record.is_worth_proposing and not is_safety:
        withheld = gettext("%(record)s in the last 90 days (%(sample)s), so nothing is proposed here.")
        return {"withheld": withheld % {"record": record, "sample": record.sample}}
    return {
        "withheld": "",
        "sentence": gettext("Safety: %(sentence)s") % {"sentence": within(sentence)} if is_safety else sentence,
        "reasons": [{"text": text, "url": ""} for text in reasons if text][:3],
        "record": str(record),
        "sample": record.sample,
        "is_safety": is_safety,
        "accept": [{"name": name, "value": value} for name, value in accept],
        "dismiss": [{"name": "verb", "value": "dismiss"}],
        "because": REASONS,
    }


def shown(ticket: Ticket) -> Proposal | None:
    """What is proposed about the place of an undecided ticket; another team that could have it is named in `of`."""
    proposed = placing(ticket) if ticket.status == Status.NEW and not ticket.explanation.get("dismissed") else None
    if proposed is None or proposed.kind == Kind.SPAM or proposed.team == ticket.team.slug:
        return proposed
    team = Team.objects.filter(slug=proposed.team, is_active=True).first()
    if team is None or Ticket.objects.filter(item=ticket.item_id, team=team).exists():
        return None
    return replace(proposed, of=team.name)


def _keep(ticket: Ticket, taggings: Sequence[Tagging], analysis: Analysis | None) -> tuple[str, list[str]]:
    tags = [tagging.topic.name for tagging in taggings]
    sentence = gettext("Keep it with %(team)s") % {"team": ticket.team}
    if tags:
        quoted = in_a_line(*(gettext("“%(topic)s”") % {"topic": tag} for tag in tags))
        sentence = gettext("Keep it with %(team)s, tagged %(topics)s") % {"team": ticket.team, "topics": quoted}
    reasons = [reason_of(ticket.explanation)]
    reasons += [reason_of(tagging.evidence) for tagging in taggings[:1]]
    if analysis is not None and analysis.urgency >= 2:
        reasons += [reason_of(each) for each in analysis.evidence.get("urgency", [])[:1]]
    return sentence, [reason for reason in reasons if reason]
