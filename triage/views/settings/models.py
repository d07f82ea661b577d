"""Settings: which model is in use, chosen, pinned or trained with a button; what they are worth is shown by `kpis`."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
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
    said = [gettext("Version %(number)s is in use.") % {"number": version.pk}]
    if version.pinned_at:
        said.append(gettext("It stays until you let it go."))
    return done(request, " ".join([*said, _again(version.looked_again)]), _PAGE)


@login_required
@require_POST
def pin(request: HttpRequest, number: int) -> HttpResponse:
    require_set_up(request)
    pinned = "pinned" in request.POST
    version = promotion.pin(number, by=actor_of(request), at=timezone.now(), pinned=pinned)
    stays = gettext("Version %(number)s stays until you let it go.")
    gives_way = gettext("Version %(number)s gives way to the next better one.")
    return done(request, (stays if pinned else gives_way) % {"number": version.pk}, _PAGE)


@login_required
@require_POST
def train(request: HttpRequest, field: str) -> HttpResponse:
    require_set_up(request)
    promotion.train_now(field, by=actor_of(request))
    return done(
        request,
        gettext("It is trained now, which takes from seconds to a minute. Reload the page to see what came of it."),
        _PAGE,
    )


def _again(count: int) -> str:
    if not count:
        return gettext("Nothing waits for a decision, so nothing is looked at again.")
    said = ngettext(
        "%(count)s item that nobody has decided about is looked at again.",
        "%(count)s items that nobody has decided about are looked at again.",
        count,
    )
    return said % {"count": number_format(count, force_grouping=True)}
