"""Letting people in: passwords with a brake, and links that work once."""

from datetime import datetime, timedelta

from django.contrib.auth import authenticate
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext

from feedback_portal.accounts.models import SignInFailure, User
from feedback_portal.marking import marked
from feedback_portal.refusals import Refused, TooMany

_WINDOW = timedelta(minutes=15)
_PER_PERSON_AND_ADDRESS = 5
_PER_ADDRESS = 50
_PER_PERSON = 20


class WrongPassword(Refused):
    status = 422
    code = "wrong-password"
    title = marked("Not signed in")


def check_password(request: HttpRequest, *, email: str, password: str, address: str, at: datetime) -> User:
    """The person, or `WrongPassword`, or `TooMany` after repeated failures; unknown people take as long as known ones."""
    recent = SignInFailure.objects.filter(at__gt=at - _WINDOW)
    email = email.strip().lower()[:254]
    if (
        recent.filter(email=email, address=address).count() >= _PER_PERSON_AND_ADDRESS
        or recent.filter(address=address).count() >= _PER_ADDRESS
        or recent.filter(email=email).count() >= _PER_PERSON
    ):
        raise TooMany(
            gettext("Too many wrong passwords. Wait fifteen minutes, or ask an administrator for a sign-in link."),
            retry_after=900,
        )
    user = authenticate(request, username=email, password=password)
    if not isinstance(user, User):
        SignInFailure.objects.create(email=email, address=address, at=at)
        SignInFailure.objects.filter(at__lt=at - 4 * _WINDOW).delete()
        raise WrongPassword(gettext("The e-mail address or the password is not right. Check both and try again."))
    SignInFailure.objects.filter(Q(email=email), address=address).delete()
    return user
