"""What a version of a form asks that the one before did not, in sentences for whoever published it."""

from collections.abc import Iterator
from dataclasses import fields

from django.utils.translation import gettext

from feedback_portal.marking import marked
from intake.questions import Definition, Question

_TEXTS_CHANGED = {
    "intro": marked("The introduction was changed."),
    "description": marked("The sentence on the first page was changed."),
    "submit_label": marked("The button was changed."),
    "time_label": marked("The time it takes was changed."),
    "privacy_url": marked("The privacy notice was changed."),
    "language": marked("The first language was changed."),
}


def changes(before: Definition | None, after: Definition) -> list[str]:
    """The differences, one sentence each; of the first version, that it is the first."""
    if before is None:
        return [gettext("The first version.")]
    return [*_texts(before, after), *_questions(before, after), *_languages(before, after)]


def _texts(before: Definition, after: Definition) -> Iterator[str]:
    if before.title != after.title:
        yield gettext("The title was “%(title)s”.") % {"title": before.title}
    for name, sentence in _TEXTS_CHANGED.items():
        if getattr(before, name) != getattr(after, name):
            yield gettext(sentence)


def _questions(before: Definition, after: Definition) -> Iterator[str]:
    old = {question.name: question for question in before.questions}
    new = {question.name: question for question in after.questions}
    for name, question in old.items():
        if name not in new:
            yield gettext("“%(called)s” is not asked any more.") % {"called": _called(question)}
    for name, question in new.items():
        if name not in old:
            yield gettext("“%(called)s” is asked now.") % {"called": _called(question)}
        elif question != old[name]:
            yield from _question(old[name], question)
    stayed = [name for name in old if name in new]
    if stayed != [name for name in new if name in old]:
        yield gettext("The questions stand in another order.")


def _question(before: Question, after: Question) -> Iterator[str]:
    called = _called(after)
    if before.label != after.label:
        yield gettext("“%(called)s” was “%(before)s”.") % {"called": called, "before": _called(before)}
    if before.required != after.required:
        if after.required:
            yield gettext("“%(called)s” must be answered now.") % {"called": called}
        else:
            yield gettext("“%(called)s” may be left out now.") % {"called": called}
    if before.show_if != after.show_if:
        if after.show_if:
            yield gettext("“%(called)s” is asked after other answers than before now.") % {"called": called}
        else:
            yield gettext("“%(called)s” is asked always now.") % {"called": called}
    kept = {option.value for option in before.options}
    added = [option.label or option.value for option in after.options if option.value not in kept]
    stays = {option.value for option in after.options}
    gone = [option.label or option.value for option in before.options if option.value not in stays]
    if after.kind == "choice" and added:
        yield gettext("“%(called)s” can be answered with %(listed)s now.") % {
            "called": called,
            "listed": _listed(added),
        }
    if after.kind == "choice" and gone:
        yield gettext("“%(called)s” can not be answered with %(listed)s any more.") % {
            "called": called,
            "listed": _listed(gone),
        }
    told = {"label", "required", "show_if"} | ({"options"} if after.kind == "choice" and (added or gone) else set())
    others = [each.name for each in fields(Question) if each.name not in told]
    if any(getattr(before, name) != getattr(after, name) for name in others):
        yield gettext("“%(called)s” looks or reads otherwise.") % {"called": called}


def _languages(before: Definition, after: Definition) -> Iterator[str]:
    for code in after.translations:
        if code not in before.translations:
            yield gettext("It can be read in %(code)s.") % {"code": code}
        elif before.translations[code] != after.translations[code]:
            yield gettext("The translation to %(code)s was changed.") % {"code": code}
    for code in before.translations:
        if code not in after.translations:
            yield gettext("It can not be read in %(code)s any more.") % {"code": code}


def _called(question: Question) -> str:
    return question.label or question.name


def _listed(words: list[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)
