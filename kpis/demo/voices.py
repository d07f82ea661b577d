"""How people write: fragments by theme and language, put together as moods and habits have it, never twice the same."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

LANGUAGES: Final = ("en", "de", "fr", "sv", "es")
STYLES: Final = {"terse": 26, "usual": 42, "long": 20, "sloppy": 12}
_TRIES = 6
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_LONG_WORD = re.compile(r"\b[a-zåäöéèüß]{6,}\b")
_CITIES: Mapping[str, Sequence[str]] = {
    "en": ("Leeds", "Bristol", "Cork", "Edinburgh", "Utrecht", "Toronto", "Bath"),
    "de": ("Köln", "Freiburg", "Graz", "Leipzig", "Basel"),
    "fr": ("Lyon", "Nantes", "Lille", "Namur"),
    "sv": ("Göteborg", "Malmö", "Umeå", "Lund"),
    "es": ("Valencia", "Bilbao", "Sevilla"),
}


@dataclass(frozen=True)
class Writer:
    """What stays the same however often somebody writes."""

    name: str
    language: str
    style: str


@dataclass(frozen=True)
class Words:
    title: str
    text: str


class Voices:
    """Everything said so far is remembered, so that no two messages are alike."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._said: set[str] = set()

    def speaks(self, language: str, theme: str) -> bool:
        """Whether anything of this theme can be said in this language."""
        return theme in _phrases(language)

    def write(self, writer: Writer, theme: str, *, facts: Mapping[str, str], titled: bool = True) -> Words:
        """A message of this writer, in English where their own language has no words for it."""
        language = writer.language if self.speaks(writer.language, theme) else "en"
        for _ in range(_TRIES):
            words = self._compose(writer, language, theme, facts, titled)
            if words.text not in self._said:
                break
        self._said.add(words.text)
        return words

    def answer(self, language: str, mood: str, *, colleague: str, city: str = "") -> str:
        """What Halden writes back, in the customer's language; a note among colleagues where there is no mood."""
        known = _phrases(language)["answers"]
        said = known[mood] if mood in known else _phrases("en")["notes"]["says"]
        return self._fill(self._chance.choice(said), {"colleague": colleague, "city": city})

    def city(self, language: str) -> str:
        return self._chance.choice(_CITIES[language])

    def _compose(self, writer: Writer, language: str, theme: str, facts: Mapping[str, str], titled: bool) -> Words:
        chance, known = self._chance, _phrases(language)
        said = known[theme]
        given = {"name": writer.name.split()[0], "city": self.city(language), **_amounts(chance), **facts}

        def some(place: str, least: int, most: int) -> list[str]:
            count = min(len(said[place]), chance.randint(least, most))
            return chance.sample(said[place], count)

        def maybe(place: str, share: float) -> list[str]:
            return some(place, 1, 1) if chance.random() < share else []

        title = "".join(some("titles", 1, 1)) if titled and chance.random() < 0.85 else ""
        if writer.style == "terse":
            parts = [*some("says", 1, 1), *maybe("details", 0.35), *maybe("asks", 0.2)]
        elif writer.style == "long":
            parts = [*some("says", 1, 2), *some("details", 2, 4), *maybe("feelings", 0.6), *maybe("asks", 0.8)]
        else:
            parts = [*some("says", 1, 1), *some("details", 0, 2), *maybe("feelings", 0.4), *maybe("asks", 0.45)]
        if chance.random() < 0.25 and said["feelings"] and len(parts) > 1 and parts[-1] not in said["feelings"]:
            parts.insert(0, chance.choice(said["feelings"]))
        body = self._fill(" ".join(dict.fromkeys(parts)), given)
        if writer.style == "long":
            middle = body.find(". ", len(body) // 2)
            body = f"{body[: middle + 1]}\n\n{body[middle + 2 :]}" if middle > 0 and chance.random() < 0.5 else body
            body = f"{chance.choice(known['greetings'])}\n\n{body}\n\n{self._fill(chance.choice(known['farewells']), given)}"
        if writer.style == "sloppy":
            body, title = self._hurried(body), title.lower()
        return Words(self._fill(title, given), body)

    def _fill(self, phrase: str, given: Mapping[str, str]) -> str:
        chosen = _CHOICE.sub(lambda found: self._chance.choice(found[1].split("|")), phrase)
        for name, value in given.items():
            chosen = chosen.replace(f"{{{name}}}", value)
        return chosen

    def _hurried(self, text: str) -> str:
        """Typed on a telephone, with one hand."""
        chance = self._chance
        text = text.lower() if chance.random() < 0.7 else text
        text = text.replace("'", "") if chance.random() < 0.5 else text
        text = text.rstrip(".") if chance.random() < 0.6 else text
        words = list(_LONG_WORD.finditer(text))
        for found in chance.sample(words, min(len(words), chance.randint(0, 2))):
            place = found.start() + chance.randrange(1, len(found[0]) - 1)
            text = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        return text


def _amounts(chance: Random) -> dict[str, str]:
    return {
        "days": str(chance.choice((2, 3, 4, 5, 6, 8, 9, 10, 12, 14, 16, 18, 21, 25, 30))),
        "count": str(chance.choice((4, 5, 6, 7, 8, 9, 11, 12, 14, 18, 20, 24))),
        "order": f"O-{chance.randrange(410_000, 489_999)}",
        "batch": f"H4-{chance.choice((2187, 2199, 2204, 2212, 2218, 2226, 2230))}",
    }


@cache
def _phrases(language: str) -> dict[str, Any]:
    with (Path(__file__).parent / "phrases" / f"{language}.toml").open("rb") as file:
        return tomllib.load(file)
