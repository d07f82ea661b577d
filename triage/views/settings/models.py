"""Settings: which model is in use, chosen, pinned or trained with a button; what they are worth is shown by `kpis`."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from feedback_portal.accounts.permissions import actor_of, require_set_up
from triage.learning import promotion
from triage.views.answering import done

_PAGE = "kpis:models"


@login_required
@require_POST
def use(request: HttpRequest, number: int) -> HttpResponse:
    require_set_up(request)
    version = promotion.use(number, by=actor_of(request), at=timezone.now())
    pinned = " It stays until you let it go." if version.pinned_at else ""
    return done(request, f"Version {version.pk} is in use.{pinned} {_again(version.looked_again)}", _PAGE)


@login_required
@require_POST
def pin(request: HttpRequest, number: int) -> HttpResponse:
    require_set_up(request)
    pinned = "pinned" in request.POST
    version = promotion.pin(number, by=actor_of(request), at=timezone.now(), pinned=pinned)
    sentence = "stays until you let it go" if pinned else "gives way to the next better one"
    return done(request, f"Version {version.pk} {sentence}.", _PAGE)


@login_required
@require_POST
def train(request: HttpRequest, field: str) -> HttpResponse:
    require_set_up(request)
    promotion.train_now(field, by=actor_of(request))
    return done(
        request,
        "It is trained now, which takes from seconds to a minute. Reload the page to see what came of it.",
        _PAGE,
    )


def _again(count: int) -> str:
    if not count:
        return "Nothing waits for a decision, so nothing is looked at again."
    return f"{count:,} item{'' if count == 1 else 's'} that nobody has decided about {'is' if count == 1 else 'are'} looked at again."
