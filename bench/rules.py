"""What rules cost each new item, with few and with many of them, beside trying every rule in turn.

    .venv/bin/python bench/rules.py [--items 2000] [--teams 24]

Needs no running portal. Texts and words are made up (`kpis.synthetic.vocabulary`): half the rules ask for words or phrases, the others
for letters, patterns, topics, channels and ratings. Prints CPU microseconds per item, from facts to the team.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--teams", type=int, default=24)
    options = parser.parse_args()
    from kpis.synthetic.vocabulary import Vocabulary
    from triage.rules.facts import Facts
    from triage.rules.sets import RuleSet

    chance, words = Random("rules"), Vocabulary("1")

    def facts() -> list[Facts]:
        """Anew for each run, for what was folded or cut once is kept."""
        draw = Random("items")
        return [
            Facts(
                channel=f"channel-{draw.randrange(4)}",
                topics=frozenset({f"topic-{draw.randrange(24)}"}),
                rating=draw.choice([None, 1, 2, 3, 4, 5]),
                language=draw.choice(["en", "de", "fr"]),
                text=words.text(draw, words=55 + draw.randrange(80)),
            )
            for _ in range(options.items)
        ]

    told: dict[str, object] = {}
    for count in (200, 2_000):
        ruleset = RuleSet(rules(count, options.teams, words, chance))
        found, cost = timed(
            lambda ruleset=ruleset: [[position for position, _ in ruleset.matching(one)] for one in made],
            made := facts(),
        )
        told[f"{count} rules"] = {
            "microseconds_an_item": round(cost, 1),
            "held_an_item": round(sum(map(len, found)) / len(found), 2),
        }
        if count == 200:
            some = facts()[:200]
            slow, looped = timed(
                lambda ruleset=ruleset, some=some: [
                    [n for n, rule in enumerate(ruleset.rules) if rule.when.holds(one)] for one in some
                ],
                some,
            )
            assert slow == found[: len(some)]
            told["200 rules, each tried"] = {"microseconds_an_item": round(looped, 1)}
    few, many = (told[f"{count} rules"]["microseconds_an_item"] for count in (200, 2_000))  # type: ignore[index]
    told["2,000 rules cost"] = f"{many / few:.2f} times 200 rules"
    print(json.dumps(told, indent=2))


def rules(count, teams, words, chance):  # type: ignore[no-untyped-def]
    from triage.rules import Act, All, Rule
    from triage.rules.conditions import Condition

    def said() -> str:
        return words.words[int(3_000 * chance.random()) + 200]

    made = []
    for number in range(count):
        kind = number % 10
        if kind < 5:
            when = Condition(
                "text", "mentions", tuple(f"{said()} {said()}" if chance.random() < 0.5 else said() for _ in range(3))
            )
        elif kind < 7:
            when = Condition("text", "contains", f"{said()} {said()}")
        elif kind == 7:
            when = Condition("text", "matches", rf"\b{said()}(s|ed)?\b.*\b{said()}")
        elif kind == 8:
            when = All(
                (Condition("topic", "is", f"topic-{number % 24}"), Condition("text", "mentions", (said(), said())))
            )
        else:
            when = All((Condition("channel", "is", f"channel-{number % 40}"), Condition("rating", "lte", 2)))
        made.append(Rule(when, (Act("route", f"team-{number % teams}"),)))
    return made


def timed(work, made):  # type: ignore[no-untyped-def]
    began = time.process_time()
    found = work()
    return found, (time.process_time() - began) / len(made) * 1e6


if __name__ == "__main__":
    main()
