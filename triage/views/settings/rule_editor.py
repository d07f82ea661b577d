"""Settings: one rule, written in the browser. Each button of its one form keeps what was typed and does its own thing."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import actor_of, set_up_page
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, Refused
from triage import reevaluating, rulebook, rules
from triage.models import BackTest, Rule
from triage.rulebook import back_testing, shadowing
from triage.rulebook.choices import GROUPS, QUESTIONS, VERBS, Choices, widget
from triage.rulebook.preview import preview
from triage.rules import drafts
from triage.rules.drafts import Draft, Node
from triage.views.settings.back_tests import back_test_shown
from triage.views.settings.shell import PLACES

MODES = (
    ("live", marked("It decides"), marked("From now on, for everything that arrives.")),
    (
        "shadow",
        marked("It is only watched"),
        marked("In shadow it decides nothing, and its page shows what it would have done."),
    ),
    ("off", marked("It is switched off"), marked("Kept for later.")),
)
_FLAGS: Mapping[str, dict[str, bool]] = {
    "live": {"is_enabled": True, "is_shadow": False},
    "shadow": {"is_enabled": True, "is_shadow": True},
    "off": {"is_enabled": False, "is_shadow": False},
}
LONGEST_NAME = 120


@set_up_page
def new_rule(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@set_up_page
def rule(request: HttpRequest, number: int) -> HttpResponse:
    return _edit(request, get_object_or_404(Rule.objects.select_related("changed_by"), pk=number))


def mode_of(rule: Rule) -> str:
    return "off" if not rule.is_enabled else "shadow" if rule.is_shadow else "live"


def sentence_of(definition: Any) -> str:
    try:
        return str(rules.parse(definition))
    except BadInput as refused:
        return gettext("This rule cannot be read: %(message)s") % {"message": refused.message}


def _edit(request: HttpRequest, stored: Rule | None) -> HttpResponse:
    posted = request.POST if request.method == "POST" else None
    act = posted.get("do", "") if posted is not None else ""
    draft = _draft(posted, stored)
    draft = drafts.settled(drafts.changed(draft, act))
    name = (posted.get("name", "") if posted is not None else stored.name if stored else "")[:LONGEST_NAME]
    mode = posted.get("mode", "live") if posted is not None else mode_of(stored) if stored else "shadow"
    tried = _back_test(request, stored)
    refused: Refused | None = None
    try:
        if act == "save":
            return _save(request, stored, name, mode, draft)
        if act == "try":
            tried = back_testing.ask(
                stored,
                name=name,
                definition=draft.definition(),
                by=actor_of(request),
                at=timezone.now(),
                items=_items(request),
            )
    except BadInput as error:
        refused = error
    context = {
        "rule": stored,
        "name": name,
        "mode": mode if mode in _FLAGS else "live",
        "modes": MODES,
        "version": posted.get("version", "") if posted is not None else stored.version if stored else "",
        "items": request.POST.get("items", back_testing.USUAL),
        "field_groups": [
            (gettext(group), [(value, gettext(label)) for value, label in fields]) for group, fields in GROUPS
        ],
        "verbs": [(verb, gettext(label)) for verb, label in VERBS.items()],
        "focus": _focus(act, draft),
        "watched": shadowing.watched(stored) if stored and stored.is_shadow else None,
        "places": PLACES,
        **_shown(draft, refused),
        **(back_test_shown(tried) if tried is not None else {}),
    }
    status = 422 if refused is not None and act in ("save", "try") else 200
    return render(request, "triage/settings/rules/editor.html", context, status=status)


def _draft(posted: Any, stored: Rule | None) -> Draft:
    if posted is not None:
        return drafts.read(posted)
    try:
        return drafts.of(stored.definition) if stored else Draft()
    except BadInput:
        return Draft()  # it cannot be read any more; its history still has it


def _save(request: HttpRequest, stored: Rule | None, name: str, mode: str, draft: Draft) -> HttpResponse:
    given: dict[str, Any] = {"name": name, "definition": draft.definition(), **_FLAGS.get(mode, _FLAGS["live"])}
    by, at = actor_of(request), timezone.now()
    if stored is None:
        made = rulebook.create_rule(given, by=by, at=at)
        said = gettext("The rule %(name)s is there, as the last one.") % {"name": made.name}
    else:
        version = request.POST.get("version", "")
        seen = int(version) if version.isdecimal() and len(version) < 10 else None
        made = rulebook.change_rule(stored, given, by=by, at=at, version=seen)
        said = gettext("The rule %(name)s is saved as version %(version)s.") % {
            "name": made.name,
            "version": made.version,
        }
    if mode == "live" and (offer := reevaluating.offer(at=at)):
        messages.success(request, f"{said} {offer}")
        return redirect("triage:reevaluation")
    messages.success(request, said)
    return redirect("triage:rule", made.pk)


def _items(request: HttpRequest) -> int:
    text = request.POST.get("items", "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _back_test(request: HttpRequest, stored: Rule | None) -> BackTest | None:
    """The back-test that this page already asked for."""
    number = request.POST.get("back_test", "") or request.GET.get("back_test", "")
    if not number.isdecimal() or len(number) > 18:
        return None
    return BackTest.objects.filter(pk=number, rule=stored).first()


def _shown(draft: Draft, refused: Refused | None) -> dict[str, Any]:
    """The tree as the page draws it, what the rule says in words and would do, and what is wrong, each at its place."""
    errors = (
        [(error.path.removeprefix("definition").strip("."), error.message) for error in refused.errors]
        if refused
        else []
    )
    definition, tried, sentence = draft.definition(), None, ""
    try:
        sentence = str(rules.parse(definition))
        if refused is None:
            rulebook.checked(definition)
            tried = preview(definition)
    except BadInput as wrong:
        if refused is None:
            errors = [(error.path, error.message) for error in wrong.errors]
    paths = [(path, number) for number, path, _ in drafts.walk(draft.when)]
    placed: dict[str, list[str]] = {}
    for path, message in errors:
        placed.setdefault(_place(path, paths), []).append(message)
    choices = Choices.load()
    acts = [
        {
            **asdict(one),
            "number": str(place),
            "choices": _with_own(choices.arguments.get(one.verb, ()), one.argument),
            "errors": placed.get(f"act-{place}", []),
        }
        for place, one in enumerate(draft.then)
    ]
    return {
        "root": _drawn(draft.when, "0", choices, placed),
        "acts": acts,
        "sentence": sentence,
        "preview": tried,
        "problems": [(where, message) for where, found in placed.items() for message in found],
        "name_errors": placed.get("name", []),
        "json": json.dumps(definition, indent=2, ensure_ascii=False),
    }


def _drawn(node: Node, number: str, choices: Choices, placed: Mapping[str, list[str]]) -> dict[str, Any]:
    errors = placed.get(f"node-{number}", [])
    if node.kind in drafts.GROUPS:
        parts = [_drawn(part, f"{number}.{place}", choices, placed) for place, part in enumerate(node.parts)]
        deep = number.count(".") + 2 >= rules.DEEPEST
        return {
            "number": number,
            "kind": node.kind,
            "parts": parts,
            "errors": errors,
            "is_deep": deep,
            "is_group": True,
        }
    known = choices.known(node)
    values = list(node.values)
    return {
        "number": number,
        "kind": "condition",
        "field": node.field,
        "name": node.name,
        "has_name": node.field in drafts.PREFIXES,
        "names": choices.values.get(node.field, ()) if node.field in drafts.PREFIXES else (),
        "op": node.op,
        "questions": [(op, gettext(QUESTIONS[op])) for op in drafts.questions(node)],
        "widget": widget(node, known),
        "known": known,
        "values": values,
        "first": values[0] if values else "",
        "second": values[1] if len(values) > 1 else "",
        "lines": "\n".join(line for value in values for line in value.split("\n")),
        "errors": errors,
        "is_group": False,
    }


def _place(path: str, paths: list[tuple[str, str]]) -> str:
    """Where on the page a sentence about this path of the JSON belongs."""
    if path.startswith("then"):
        place = path.split(".")[1] if "." in path else "0"
        return f"act-{place}"
    if not path.startswith("when"):
        return path or "name"
    fitting = [(len(known), number) for known, number in paths if f"{path}.".startswith(f"{known}.")]
    return f"node-{max(fitting)[1] if fitting else '0'}"


def _with_own(known: Any, own: str) -> list[tuple[str, str]]:
    found = [(str(value), str(label)) for value, label in known]
    if own and own.lower() not in {value.lower() for value, _ in found}:
        found.append((own, own))
    return found


def _focus(act: str, draft: Draft) -> str:
    """The element that a press leads to: what it added."""
    verb, _, where = act.partition(" ")
    if verb in ("add", "group"):
        node = next((node for number, _, node in drafts.walk(draft.when) if number == where), None)
        last = f"{where}.{len(node.parts) - 1}" if node is not None and node.parts else ""
        return f"field-{last}{'.0' if verb == 'group' else ''}" if last else ""
    return (
        f"verb-{len(draft.then) - 1}"
        if verb == "add_act"
        else f"add-{where.rpartition('.')[0]}"
        if verb == "remove"
        else ""
    )
