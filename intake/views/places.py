"""Settings: the places where people answer on the spot, and the poster of each."""

from typing import TYPE_CHECKING, Any

import segno
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_GET

from feedback_portal.accounts.permissions import require_set_up, set_up_page
from intake import places
from intake.kiosk_words import WORDS
from intake.models import Form, Place
from intake.questions import from_json

if TYPE_CHECKING:
    PlaceModelForm = forms.ModelForm[Place]
else:
    PlaceModelForm = forms.ModelForm

_LANGUAGES = [(code, words.own_name) for code, words in WORDS.items()]


class PlaceForm(PlaceModelForm):
    """A place as it is set up; its address stays what it was, for posters hang on walls."""

    first_language = forms.ChoiceField(label=gettext_lazy("First language"), choices=_LANGUAGES)
    second_language = forms.ChoiceField(
        label=gettext_lazy("Second language"), choices=[("", gettext_lazy("None")), *_LANGUAGES], required=False
    )

    class Meta:
        model = Place
        fields = ("slug", "name", "form", "exit_code", "is_enabled")
        error_messages = {
            "slug": {
                "unique": gettext_lazy("There is a place of this name already. Choose another one."),
                "invalid": gettext_lazy("Use letters, digits, dashes and underscores."),
            }
        }

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        spoken = [*(self.instance.languages or ["en"]), ""]
        self.initial.update(first_language=spoken[0], second_language=spoken[1])
        if self.instance.pk:
            del self.fields["slug"]
        else:
            self.initial["is_enabled"] = True
            del self.fields["is_enabled"]

    def clean_form(self) -> Form:
        form: Form = self.cleaned_data["form"]
        if not places.can_be_answered(form):
            raise forms.ValidationError(gettext("This form asks for no rating from 1 to 5. Choose one that does."))
        return form

    def clean(self) -> dict[str, Any] | None:
        found = super().clean() or self.cleaned_data
        if found.get("second_language") and found["second_language"] == found.get("first_language"):
            self.add_error("second_language", gettext("Choose another language than the first, or none."))
        return found

    def save(self, commit: bool = True) -> Place:
        chosen = (self.cleaned_data["first_language"], self.cleaned_data["second_language"])
        self.instance.languages = [language for language in chosen if language]
        place: Place = super().save(commit)
        return place


@set_up_page
def all_places(request: HttpRequest) -> HttpResponse:
    """Every place, and a form for a new one."""
    form = PlaceForm(request.POST or None)
    if form.is_valid():
        place = form.save()
        messages.success(
            request,
            gettext("%(name)s is there. Print its poster, or open its kiosk on the device.") % {"name": place.name},
        )
        return redirect("intake:place", slug=place.slug)
    return _shown(request, "places", form, places=Place.objects.select_related("form").order_by("-is_enabled", "name"))


@set_up_page
def place(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Place, slug=slug)
    form = PlaceForm(request.POST or None, instance=found)
    if form.is_valid():
        messages.success(request, gettext("%(name)s is saved.") % {"name": form.save().name})
        return redirect("intake:places")
    return _shown(request, "place", form, place=get_object_or_404(Place, slug=slug))


@login_required
@require_GET
def poster(request: HttpRequest, slug: str) -> HttpResponse:
    """A sheet of paper for the wall: in each of the place's languages what to do, and the code to do it with."""
    require_set_up(request)
    found = get_object_or_404(Place.objects.select_related("form__current"), slug=slug)
    assert found.form.current is not None, "only a published form has places"
    asked = from_json(found.form.current.definition)
    link = places.poster_link(found)
    context = {
        "place": found,
        "link": link,
        # The code is drawn from the address alone.
        "code": segno.make(link, error="m", micro=False).svg_inline(omitsize=True, border=4, dark="#000", light="#fff"),
        "texts": [
            {
                "language": language,
                "title": asked.in_language(language).title if language in asked.languages else words.question,
                "scan": words.scan,
            }
            for language in found.languages
            for words in (WORDS[language],)
        ],
    }
    return render(request, "intake/poster.html", context)


def _shown(request: HttpRequest, template: str, form: PlaceForm, **context: Any) -> HttpResponse:
    published = Form.objects.filter(state=Form.State.PUBLISHED).select_related("current", "channel").order_by("pk")
    told = {"form": form, "forms": [each for each in published if places.can_be_answered(each)], **context}
    return render(request, f"intake/{template}.html", told, status=422 if form.is_bound and form.errors else 200)
