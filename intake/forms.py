"""The answers to a form, checked as they come from a page, and the page's fields drawn from what the form asks."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import QueryDict

from intake import show_if
from intake.attachments import ACCEPT, LONGEST_FILE, MOST_FILES, BadFile, checked, too_large
from intake.cleaning import clean_text
from intake.connectors.base import File
from intake.form_words import Words, words_in
from intake.questions import Definition, Question
from intake.show_if import Answer, Condition, ShowIf

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

    from intake.posts import Files


class AnswersForm(forms.Form):
    """A form whose fields are what a definition asks; `answers` and `files` are what was said, once it is valid."""

    def __init__(
        self,
        definition: Definition,
        data: QueryDict | None = None,
        files: "Files | None" = None,
    ) -> None:
        super().__init__(data, files)
        self.definition = definition
        self.words = words_in(definition.language)
        self._came = data if data is not None else QueryDict()
        for question in definition.questions:
            self.fields.update(_FIELDS[question.kind](question, self.words))

    def full_clean(self) -> None:
        """What is not asked of this sender is neither required nor checked, and whatever came for it is dropped."""
        self._asked = self.definition.asked({each.name: self._sent(each) for each in self.definition.questions})
        left_out = [question for question in self.definition.questions if question not in self._asked]
        every_field = self.fields
        hidden = {name for question in left_out for name in _names(question)}
        self.fields = {name: field for name, field in every_field.items() if name not in hidden}
        super().full_clean()
        self.fields = every_field

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        speaking = [question for question in self._asked if _may_say_it(question)]
        if not self.errors and not any(found.get(question.name) not in (None, "") for question in speaking):
            self.add_error(speaking[0].name, self.words.say_something)
        for question in self._asked:
            if question.kind == "file" and self.errors and self.files and question.name not in self.errors:
                self.add_error(question.name, self.words.files_again)
        return found

    def answers(self) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for question in self._asked:
            if question.kind == "contact":
                said[question.name] = {
                    name: self.cleaned_data[name] for name in question.asks if self.cleaned_data[name]
                }
            elif question.kind not in {"file", "context"}:
                said[question.name] = self.cleaned_data[question.name]
        return {name: value for name, value in said.items() if value not in (None, "", [], {})}

    def sent_files(self) -> list[File]:
        return [
            file for question in self._asked if question.kind == "file" for file in self.cleaned_data[question.name]
        ]

    def drawn(self) -> list[dict[str, Any]]:
        """The questions as `intake/form.html` shows them, with what was said and what is wrong with it."""
        return [self._drawn(question) for question in self.definition.questions if question.kind != "context"]

    def _drawn(self, question: Question) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "name": question.name,
            "kind": question.kind,
            "label": question.label,
            "help": question.help,
            "required": question.required,
            "errors": list(self.errors.get(question.name, [])),
            "value": self._said(question.name),
            "show_if": json.dumps(show_if.as_json(question.show_if)) if question.show_if else "",
            "only_if": self._only_if(question.show_if) if question.show_if else "",
        }
        return shown | _DRAWN.get(question.kind, _drawn_plain)(self, question)

    def _sent(self, question: Question) -> Answer:
        """The answer as it came, whether or not it may stay."""
        if question.kind == "file":
            return [file.name or "file" for file in (self.files.getlist(question.name) if self.files else ())]
        return [value for name in _names(question) for value in self._came.getlist(name)]

    def _said(self, name: str) -> Any:
        if not self.is_bound or name not in self.fields:
            return None
        value = self[name].value()
        return clean_text(value) if isinstance(value, str) else value

    def _only_if(self, rule: ShowIf) -> str:
        """The rule in words, for whoever reads the form without a script."""
        asked = {question.name: question for question in self.definition.questions}
        said = [_condition(condition, asked[condition.question], self.words) for condition in rule.conditions]
        joined = (self.words.joined_by_or if rule.any else self.words.joined_by_and).join(said)
        return self.words.only_if.format(conditions=joined)


def _choosing(words: Words) -> dict[str, str]:
    return {"required": words.choose, "invalid_choice": words.choose_shown, "invalid_list": words.choose_shown}


def _may_say_it(question: Question) -> bool:
    return question.kind == "scale" or (question.kind == "text" and question.place in {"text", "title"})


def _names(question: Question) -> tuple[str, ...]:
    """What the fields of a question are called on the page."""
    return question.asks if question.kind == "contact" else (question.name,)


def _condition(condition: Condition, question: Question, words: Words) -> str:
    options = question.steps if question.kind == "scale" else question.options
    labels = {option.value: option.label or option.value for option in options} if options else {}
    pattern = {
        "is": words.when_is,
        "is_not": words.when_is_not,
        "at_most": words.when_at_most,
        "at_least": words.when_at_least,
        "is_answered": words.when_answered,
    }[condition.op]
    return pattern.format(question=question.label, value=labels.get(condition.value, condition.value))


class _Text(forms.CharField):
    """Browsers send a new line as two characters, and count it as one."""

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        return found.replace("\r\n", "\n") if isinstance(found, str) else found


class _FilesInput(forms.FileInput):
    allow_multiple_selected = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list["UploadedFile[Any]"]:
        return list(files.getlist(name)) if files else []


class _Files(forms.Field):
    widget = _FilesInput

    def __init__(self, words: Words, *, required: bool) -> None:
        super().__init__(required=required)
        self._words = words

    def clean(self, value: Any) -> list[File]:
        if self.required and not value:
            raise forms.ValidationError(self._words.choose_file)
        if len(value) > MOST_FILES:
            raise forms.ValidationError(self._words.at_most_files.format(count=MOST_FILES))
        taken, errors = [], []
        for upload in value:
            try:
                taken.append(_checked(upload))
            except BadFile as reason:
                errors.append(str(reason))
        if errors:
            raise forms.ValidationError(errors)
        return taken


def _checked(upload: "UploadedFile[Any]") -> File:
    name = upload.name or ""
    if (upload.size or 0) > LONGEST_FILE:
        raise too_large(name)
    return checked(name, upload.read())


def _scale_field(question: Question, words: Words) -> dict[str, forms.Field]:
    choices = [(step.value, step.label or step.value) for step in question.steps]
    field = forms.TypedChoiceField(
        choices=choices, coerce=int, empty_value=None, required=question.required, error_messages=_choosing(words)
    )
    return {question.name: field}


def _text_field(question: Question, words: Words) -> dict[str, forms.Field]:
    return {
        question.name: _Text(
            max_length=question.longest, required=question.required, error_messages={"required": words.write}
        )
    }


def _choice_field(question: Question, words: Words) -> dict[str, forms.Field]:
    choices = [(option.value, option.label or option.value) for option in question.options]
    if question.multiple:
        return {
            question.name: forms.MultipleChoiceField(
                choices=choices, required=question.required, error_messages=_choosing(words)
            )
        }
    # One or many, an answer is a list of what was chosen.
    field = forms.TypedChoiceField(
        choices=choices,
        coerce=lambda chosen: [chosen],
        empty_value=None,
        required=question.required,
        error_messages=_choosing(words),
    )
    return {question.name: field}


def _contact_fields(question: Question, words: Words) -> dict[str, forms.Field]:
    return {
        name: forms.EmailField(
            max_length=254,
            required=question.required,
            error_messages={"required": words.needs_address, "invalid": words.whole_address},
        )
        if name == "email"
        else forms.CharField(max_length=200, required=question.required, error_messages={"required": words.write})
        for name in question.asks
    }


_FIELDS: Mapping[str, Callable[[Question, Words], dict[str, forms.Field]]] = {
    "scale": _scale_field,
    "text": _text_field,
    "choice": _choice_field,
    "contact": _contact_fields,
    "consent": lambda question, words: {
        question.name: forms.BooleanField(required=question.required, error_messages={"required": words.agree})
    },
    "file": lambda question, words: {question.name: _Files(words, required=question.required)},
    "context": lambda question, words: {},
}


def _drawn_plain(form: AnswersForm, question: Question) -> dict[str, Any]:
    return {}


def _drawn_scale(form: AnswersForm, question: Question) -> dict[str, Any]:
    # A face says nothing to whoever cannot see it, so it never stands without a word.
    words = form.words.faces if question.faces else ()
    return {
        "options": [
            {"value": step.value, "label": step.label or (words[place] if place < len(words) else "")}
            for place, step in enumerate(question.steps)
        ],
        "low_label": question.low_label,
        "high_label": question.high_label,
        "faces": question.faces,
        "stars": question.scale == "stars5" and not question.faces,
    }


def _drawn_choice(form: AnswersForm, question: Question) -> dict[str, Any]:
    chosen = form._said(question.name) or []
    return {
        "options": [
            {"value": option.value, "label": option.label or option.value, "detail": option.detail}
            for option in question.options
        ],
        "multiple": question.multiple,
        "value": [chosen] if isinstance(chosen, str) else chosen,
    }


def _drawn_contact(form: AnswersForm, question: Question) -> dict[str, Any]:
    types = {"email": ("email", "email"), "phone": ("tel", "tel"), "name": ("text", "name")}
    return {
        "fields": [
            {
                "name": name,
                "label": getattr(form.words, name),
                "type": types[name][0],
                "autocomplete": types[name][1],
                "value": form._said(name),
                "errors": list(form.errors.get(name, [])),
            }
            for name in question.asks
        ]
    }


_DRAWN: Mapping[str, Callable[[AnswersForm, Question], dict[str, Any]]] = {
    "scale": _drawn_scale,
    "text": lambda form, question: {"long": question.long, "max_length": question.longest},
    "choice": _drawn_choice,
    "contact": _drawn_contact,
    "consent": lambda form, question: {"value": bool(form._said(question.name))},
    "file": lambda form, question: {
        "accept": ACCEPT,
        "multiple": True,
        "limit_label": form.words.file_limit.format(count=MOST_FILES, size=LONGEST_FILE // 1024 // 1024),
    },
}
