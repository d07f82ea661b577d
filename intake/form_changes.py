"""What a version of a form asks that the one before did not, in sentences for whoever published it."""

from collections.abc import Iterator
from dataclasses import fields

from intake.questions import Definition, Question


def changes(before: Definition | None, after: Definition) -> list[str]:
    """The differences, one sentence each; of the first version, that it is the first."""
    if before is None:
        return ["The first version."]
    return [*_texts(before, after), *_questions(before, after), *_languages(before, after)]


def _texts(before: Definition, after: Definition) -> Iterator[str]:
    if before.title != after.title:
        yield f"The title was “{before.title}”."
    parts = (
        ("intro", "introduction"),
        ("description", "sentence on the first page"),
        ("submit_label", "button"),
        ("time_label", "time it takes"),
        ("privacy_url", "privacy notice"),
        ("language", "first language"),
    )
    for name, called in parts:
        if getattr(before, name) != getattr(after, name):
            yield f"The {called} was changed."


def _questions(before: Definition, after: Definition) -> Iterator[str]:
    old = {question.name: question for question in before.questions}
    new = {question.name: question for question in after.questions}
    for name, question in old.items():
        if name not in new:
            yield f"“{_called(question)}” is not asked any more."
    for name, question in new.items():
        if name not in old:
            yield f"“{_called(question)}” is asked now."
        elif question != old[name]:
            yield from _question(old[name], question)
    stayed = [name for name in old if name in new]
    if stayed != [name for name in new if name in old]:
        yield "The questions stand in another order."


def _question(before: Question, after: Question) -> Iterator[str]:
    called = _called(after)
    if before.label != after.label:
        yield f"“{called}” was “{_called(before)}”."
    if before.required != after.required:
        yield f"“{called}” {'must be answered' if after.required else 'may be left out'} now."
    if before.show_if != after.show_if:
        yield f"“{called}” is asked {'after other answers than before' if after.show_if else 'always'} now."
    kept = {option.value for option in before.options}
    added = [option.label or option.value for option in after.options if option.value not in kept]
    stays = {option.value for option in after.options}
    gone = [option.label or option.value for option in before.options if option.value not in stays]
    if after.kind == "choice" and added:
        yield f"“{called}” can be answered with {_listed(added)} now."
    if after.kind == "choice" and gone:
        yield f"“{called}” can not be answered with {_listed(gone)} any more."
    told = {"label", "required", "show_if"} | ({"options"} if after.kind == "choice" and (added or gone) else set())
    others = [each.name for each in fields(Question) if each.name not in told]
    if any(getattr(before, name) != getattr(after, name) for name in others):
        yield f"“{called}” looks or reads otherwise."


def _languages(before: Definition, after: Definition) -> Iterator[str]:
    for code in after.translations:
        if code not in before.translations:
            yield f"It can be read in {code}."
        elif before.translations[code] != after.translations[code]:
            yield f"The translation to {code} was changed."
    for code in before.translations:
        if code not in after.translations:
            yield f"It can not be read in {code} any more."


def _called(question: Question) -> str:
    return question.label or question.name


def _listed(words: list[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)
