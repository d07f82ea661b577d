"""What the portal proposes to change about rules and topics, from what people decided; a person accepts it or turns it down."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import said
from feedback_portal.marking import marked, worded
from feedback_portal.refusals import BadInput, InputError, Refused
from intake.cleaning import clean_line
from triage import organisation, rulebook, rules
from triage.models import Rule, RuleProposal, Tagging, Topic
from triage.routing import Router
from triage.rulebook import past_facts
from triage.rulebook.past_facts import Past
from triage.rules import All, mining
from triage.rules.conditions import Condition
from triage.rules.facts import FIELDS, as_number
from triage.rules.mining import Effect, Example

LOOKED_AT: Final = 20_000
"""So many of the newest items are learned from."""
LEAST_DECIDED: Final = 40
_LONGEST_REASON: Final = 300
_KEPT = timedelta(days=90)
_BOUNDS = {"lt": lambda seen, bound: seen < bound, "lte": lambda seen, bound: seen <= bound} | {
    "gt": lambda seen, bound: seen > bound,
    "gte": lambda seen, bound: seen >= bound,
}


class NotOpen(Refused):
    status = 409
    code = "not-open"
    title = marked("Somebody was quicker")


def find(*, at: datetime) -> int:
    """Look at what people decided lately and write down what would do better; how many proposals are open then. What is no
    longer true is taken back, what was turned down is not proposed again."""
    router = Router.load(at=at)
    pasts = list(_decided(router))
    found: list[RuleProposal] = []
    if len(pasts) >= LEAST_DECIDED:
        surfaces: dict[str, str] = {}
        examples = _examples(pasts, router, surfaces)
        found += _rules(examples, router, surfaces, at)
        found += _keywords(examples, surfaces, at)
        found += _thresholds(pasts, router, at)
    with transaction.atomic():
        keys = [one.key for one in found]
        RuleProposal.objects.filter(status="open").exclude(key__in=keys).update(status="outdated")
        RuleProposal.objects.filter(status="outdated", found_at__lt=at - _KEPT).delete()
        # An accepted one is found again only if it was undone since; a dismissed one stays as it is.
        RuleProposal.objects.filter(status__in=["outdated", "accepted"], key__in=keys).update(
            status="open", decided_by=None, decided_at=None
        )
        RuleProposal.objects.bulk_create(found, ignore_conflicts=True)
        for one in found:
            RuleProposal.objects.filter(key=one.key, status="open").update(effect=one.effect, says=one.says)
    return RuleProposal.objects.filter(status="open").count()


def accept(proposal: RuleProposal, *, by: Actor, at: datetime) -> str:
    """Make the change as an edit of whoever accepts it; a sentence that says what was done."""
    rulebook.may_write(by)
    with transaction.atomic():
        _take(proposal, "accepted", by=by, at=at)
        if proposal.kind == RuleProposal.Kind.RULE:
            given = {"name": _free_name(said(proposal.says)), "definition": proposal.definition}
            made = rulebook.create_rule(given, by=by, at=at, first=True)
            return gettext("The rule %(name)s is there, and is tried first.") % {"name": made.name}
        if proposal.kind == RuleProposal.Kind.THRESHOLD:
            assert proposal.rule is not None
            changed = rulebook.change_rule(proposal.rule, {"definition": proposal.definition}, by=by, at=at)
            return gettext("The rule %(name)s is changed to version %(version)s.") % {
                "name": changed.name,
                "version": changed.version,
            }
        assert proposal.topic is not None
        topic = Topic.objects.select_for_update().get(pk=proposal.topic.pk)
        rest = [word for word in topic.keywords if word != proposal.word]
        adds = proposal.kind == RuleProposal.Kind.KEYWORD
        organisation.change_topic(topic, {"keywords": [*rest, proposal.word] if adds else rest}, by=by)
        speaks = gettext("“%(word)s” speaks for the topic %(topic)s.")
        silent = gettext("“%(word)s” no longer speaks for the topic %(topic)s.")
        return (speaks if adds else silent) % {"word": proposal.word, "topic": topic.name}


def dismiss(proposal: RuleProposal, *, reason: str, by: Actor, at: datetime) -> None:
    rulebook.may_write(by)
    why = clean_line(reason if isinstance(reason, str) else "", longest=_LONGEST_REASON)
    if not why:
        message = gettext("Say in a few words why not, for whoever wonders later.")
        raise BadInput(message, errors=(InputError("reason", message),))
    _take(proposal, "dismissed", by=by, at=at, reason=why)


def _take(proposal: RuleProposal, status: str, *, by: Actor, at: datetime, reason: str = "") -> None:
    mine = RuleProposal.objects.filter(pk=proposal.pk, status="open")
    if not mine.update(status=status, decided_by=by.user, decided_at=at, reason=reason):
        raise NotOpen(gettext("Somebody decided on this proposal while you looked. Look at the rules as they are now."))


def _decided(router: Router) -> Iterator[Past]:
    """The newest items that people decided on, with everything that rules ask."""
    every = past_facts.fields_of(list(router.rules.rules)) | {"text", "title"}
    for page in past_facts.pages(most=LOOKED_AT, fields=every, above=Topic.objects.all().above()):
        for past in page.rows:
            if past.decided and past.facts.text:
                yield past


def _examples(pasts: Sequence[Past], router: Router, surfaces: dict[str, str]) -> list[Example]:
    """What mining needs of each; `surfaces` is filled with how the stems are written."""
    added: dict[int, set[str]] = {}
    removed: dict[int, set[str]] = {}
    items = [past.item for past in pasts]
    rows = Tagging.objects.filter(Q(source="person", removed_at=None) | Q(removed_at__isnull=False), item__in=items)
    for item, topic, gone in rows.values_list("item_id", "topic__slug", "removed_at"):
        (removed if gone else added).setdefault(item, set()).add(topic)
    found = []
    for past in pasts:
        said = mining.features(past.facts.text)
        for stems, surface in said.items():
            surfaces.setdefault(stems, surface)
        found.append(
            Example(
                item=past.item,
                words=frozenset(said),
                topics=past.facts.topics,
                placed=router.place(router.held(past.facts), past.facts, past.clues).team.slug,
                decided=past.decided,
                given=frozenset(slug for slug, _ in past.clues.topics),
                added=frozenset(added.get(past.item, ())),
                removed=frozenset(removed.get(past.item, ())),
            )
        )
    return found


def _rules(
    examples: Sequence[Example], router: Router, surfaces: Mapping[str, str], at: datetime
) -> Iterator[RuleProposal]:
    names = dict(Topic.objects.values_list("slug", "name"))
    for one in mining.new_rules(examples):
        if one.team not in router.teams:
            continue
        word = surfaces[one.word]
        says: dict[str, Any] = {"field": "text", "op": "mentions", "value": [word]}
        beside = [{"field": "topic", "op": "is", "value": one.topic}] if one.topic else []
        definition = {"version": 1, "when": {"all": [says, *beside]}, "then": [{"verb": "route", "team": one.team}]}
        slots = {"word": word, "topic": names.get(one.topic, one.topic), "team": router.teams[one.team].name}
        yield RuleProposal(
            kind=RuleProposal.Kind.RULE,
            key=_key("rule", one.word, one.topic, one.team),
            says=worded("“%(word)s” about %(topic)s goes to %(team)s", **slots)
            if one.topic
            else worded("“%(word)s” goes to %(team)s", **slots),
            definition=rules.dump(rules.parse(definition)),
            effect=_told(one.effect, router),
            found_at=at,
        )


def _keywords(examples: Sequence[Example], surfaces: Mapping[str, str], at: datetime) -> Iterator[RuleProposal]:
    topics = {topic.slug: topic for topic in Topic.objects.filter(is_active=True)}
    for one in mining.keywords(examples, {slug: topic.keywords for slug, topic in topics.items()}):
        topic, word = topics[one.topic], surfaces.get(one.word, one.word)[:80]
        kind = RuleProposal.Kind.KEYWORD if one.is_addition else RuleProposal.Kind.NOT_KEYWORD
        yield RuleProposal(
            kind=kind,
            key=_key(kind, one.word, one.topic),
            says=worded("“%(word)s” speaks for the topic %(topic)s", word=word, topic=topic.name)
            if one.is_addition
            else worded("“%(word)s” does not speak for the topic %(topic)s", word=word, topic=topic.name),
            topic=topic,
            word=word,
            effect=_told(one.effect, None),
            found_at=at,
        )


def _thresholds(pasts: Sequence[Past], router: Router, at: datetime) -> Iterator[RuleProposal]:
    """Another number in a rule that routes: how the items for which all its other conditions hold were decided says which."""
    for stored, rule in zip(router.stored, router.rules.rules, strict=True):
        act = rule.act("route")
        parts = rule.when.parts if isinstance(rule.when, All) else (rule.when,)
        bounds = [
            one
            for one in parts
            if isinstance(one, Condition) and one.op in _BOUNDS and FIELDS.get(one.field) == "number"
        ]
        if act is None or len(bounds) != 1:
            continue
        (bound,) = bounds
        team, rest = str(act.argument), [part for part in parts if part is not bound]
        pairs = []
        for past in pasts:
            number = as_number(past.facts.get(bound.field))
            if number is None or not all(part.holds(past.facts) for part in rest):
                continue
            others = [(one, said) for one, said in router.held(past.facts) if one.pk != stored.pk]
            first = next((one for one, said in others if said.act("route")), None)
            if first is not None and (first.position, first.pk) < (stored.position, stored.pk):
                continue
            elsewhere = router.place(others, past.facts, past.clues).team.slug
            pairs.append((past.item, number, (past.decided == team) - (past.decided == elsewhere)))
        now = as_number(bound.value)
        found = mining.better_bound(pairs, holds=_BOUNDS[bound.op], now=now) if now is not None else None
        if found is None:
            continue
        value = int(found[0]) if found[0].is_integer() else found[0]
        better = replace(bound, value=value)
        when = All(tuple(better if part is bound else part for part in parts)) if isinstance(rule.when, All) else better
        decided = found[1] + found[2]
        yield RuleProposal(
            kind=RuleProposal.Kind.THRESHOLD,
            key=_key("threshold", stored.pk, stored.version, value),
            says=worded(
                "In the rule %(rule)s: %(better)s (instead of %(number)s)",
                rule=stored.name,
                better=better.kept(),
                number=_number(bound.value),
            ),
            rule=stored,
            definition=rules.dump(replace(rule, when=when)),
            effect=_told(Effect(found[1], decided, found[1], found[2], {}), router),
            found_at=at,
        )


def _told(effect: Effect, router: Router | None) -> dict[str, Any]:
    low, high = effect.interval
    names = {slug: team.name for slug, team in router.teams.items()} if router else {}
    moves = sorted(effect.moves.items(), key=lambda one: (-one[1], one[0]))[:5]
    return {
        "right": effect.right,
        "decided": effect.decided,
        "low": round(100 * low),
        "high": round(100 * high),
        "fixes": effect.fixes,
        "breaks": effect.breaks,
        "moves": [
            {"from": names.get(one, one), "to": names.get(two, two), "count": count} for (one, two), count in moves
        ],
    }


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()


def _free_name(wanted: str) -> str:
    name = clean_line(wanted, longest=110)
    taken = set(Rule.objects.filter(name__startswith=name[:100]).values_list("name", flat=True))
    return next(one for number in range(1, 1000) if (one := name if number == 1 else f"{name} {number}") not in taken)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
