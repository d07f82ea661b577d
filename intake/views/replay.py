"""Settings: what a channel's connector would say now of what came through it, and the button that has it say so."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.permissions import set_up_page
from intake import replaying
from intake.models import Channel


@set_up_page
def replay(request: HttpRequest, slug: str) -> HttpResponse:
    """GET looks at one stretch and changes nothing; POST applies what that stretch comes to."""
    channel = get_object_or_404(Channel, slug=slug)
    at, given = timezone.now(), request.POST if request.method == "POST" else request.GET
    which = given.get("which", "older")
    which = which if which in replaying.WHICH else "older"
    after = _number(given.get("after", ""))
    here = reverse("intake:replay", args=[slug])
    if request.method == "POST":
        found = replaying.apply(channel, at=at, which=which, after=after)
        count = len(found.to_apply)
        sentence = ngettext(
            "%(count)s is read again. It is marked as changed on its ticket if it says something else.",
            "%(count)s are read again. Each that says something else is marked as changed on its ticket.",
            count,
        )
        messages.success(request, sentence % {"count": count})
        onward = {"which": which} | ({"after": found.last} if found.last else {})
        return redirect(f"{here}?{urlencode(onward)}")
    found = replaying.look(channel, at=at, which=which, after=after)
    context = {
        "channel": channel,
        "look": found,
        "which": which,
        "after": after or "",
        "choices": [(value, gettext(words)) for value, words in replaying.WHICH.items()],
        "a_look": replaying.A_LOOK,
        "next_url": f"{here}?{urlencode({'which': which, 'after': found.last})}" if found.last else "",
    }
    return render(request, "intake/channels/replay.html", context)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
