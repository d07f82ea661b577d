"""How long a back-test of a rule edit takes among 200 live rules, on everything that arrived; by two processes here and by the worker.

    .venv/bin/python manage.py load_synthetic --items 100000 --days 180
    .venv/bin/python bench/backtest.py [--items 100000] [--rules 200] [--alone]

Each edit is worked out beside one bare read of the same items' texts, for machines differ. The live rules are made up from words of the
items and saved nowhere; the job of the worker meets the rules that the portal has.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--alone", action="store_true", help="in one process")
    options = parser.parse_args()
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    from django.utils import timezone

    from feedback_portal.accounts.models import Role, Team, User
    from feedback_portal.accounts.permissions import Actor
    from intake.models import FeedbackItem
    from triage.models import Rule, Topic
    from triage.rulebook import back_testing
    from triage.rulebook.comparison import Standing

    teams = list(Team.objects.filter(is_active=True, tickets__isnull=False).distinct().values_list("slug", flat=True))
    topics = list(Topic.objects.filter(is_active=True).values_list("slug", flat=True))
    owner = User.objects.filter(role=Role.ADMIN).first()
    if len(teams) < 2 or not topics or owner is None:
        sys.exit("Fill the portal first: manage.py load_synthetic --items 100000 --days 180")
    newest = FeedbackItem.objects.order_by("-pk").values_list("text", flat=True)[:200]
    words = sorted({word.strip(".").lower() for text in newest for word in text.split() if len(word) > 4})
    chance = Random("back-test")
    began = time.monotonic()
    read = sum(
        len(text)
        for text in FeedbackItem.objects.order_by("-pk").values_list("text", flat=True)[: options.items].iterator()
    )
    told: dict[str, object] = {
        "items": min(options.items, FeedbackItem.objects.count()),
        "live rules": options.rules,
        "bare read of the texts": {"seconds": round(time.monotonic() - began, 2), "characters": read},
    }
    from triage.rules import parse

    others = [
        Standing(f"R{number}", (10 * number, number), parse(made_up(number, words, topics, teams, chance)))
        for number in range(1, options.rules + 1)
    ]
    for name, before, after in edits(words, topics, teams):
        edited = Rule(name=name, position=5)
        began, cpu = time.monotonic(), sum(os.times()[:4])
        found = back_testing.compare(
            back_testing.standing(edited, before) if before else None,
            back_testing.standing(edited, after),
            others=others,
            items=options.items,
            at=timezone.now(),
            in_two_processes=not options.alone,
        )
        assert found is not None
        result = found.told()
        told[name] = {
            "seconds": round(time.monotonic() - began, 2),
            "cpu_seconds": round(sum(os.times()[:4]) - cpu, 2),
            **{
                key: result[key]
                for key in ("looked_at", "held_before", "held_after", "moved", "decided", "right_before", "right_after")
            },
        }
    _, _, after = edits(words, topics, teams)[0]
    began = time.monotonic()
    by = Actor(user=owner)
    asked = back_testing.ask(None, name="Bench", definition=after, by=by, at=timezone.now(), items=options.items)
    while not asked.is_over and time.monotonic() - began < 120:
        time.sleep(0.05)
        asked.refresh_from_db()
    told["a word, by the worker"] = {"seconds": round(time.monotonic() - began, 2), "done": asked.result is not None}
    print(json.dumps(told, indent=2))


def edits(words, topics, teams):  # type: ignore[no-untyped-def]
    def rule(*when, team=teams[0]):  # type: ignore[no-untyped-def]
        return {"version": 1, "when": {"all": list(when)}, "then": [{"verb": "route", "team": team}]}

    says = {"field": "text", "op": "mentions", "value": words[40:43]}
    more = {"field": "text", "op": "mentions", "value": words[40:46]}
    topic = {"field": "topic", "op": "in", "value": topics[:6]}
    low = {"field": "rating", "op": "lte", "value": 2}
    known = {"field": "language", "op": "exists", "value": True}
    return [
        ("a word", rule(says), rule(more)),
        ("a pattern", None, rule({"field": "text", "op": "matches", "value": rf"\b{words[50]}\w*"})),
        ("a topic", rule(topic), rule(topic, team=teams[1])),
        ("a number", rule(low), rule(low | {"value": 3})),
        ("everything", None, rule(known)),
    ]


def made_up(number, words, topics, teams, chance):  # type: ignore[no-untyped-def]
    kind = number % 5
    if kind < 2:
        when = {"field": "text", "op": "mentions", "value": chance.sample(words, 3)}
    elif kind == 2:
        when = {"field": "text", "op": "contains", "value": " ".join(chance.sample(words, 2))}
    elif kind == 3:
        when = {
            "all": [
                {"field": "topic", "op": "is", "value": chance.choice(topics)},
                {"field": "text", "op": "contains", "value": chance.choice(words)},
            ]
        }
    else:
        when = {
            "all": [
                {"field": "rating", "op": "lte", "value": 1},
                {"field": "text", "op": "matches", "value": rf"\b{chance.choice(words)}s?\b"},
            ]
        }
    return {"version": 1, "when": when, "then": [{"verb": "route", "team": chance.choice(teams)}]}


if __name__ == "__main__":
    main()
