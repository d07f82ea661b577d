"""Files of items and of actions, as downloads, after asking who may have them."""

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.refusals import NotFound
from intake import attachments
from intake.models import Attachment
from triage.improving import evidence
from triage.models import Ticket


@login_required
@require_GET
def attachment(request: HttpRequest, public_id: str) -> FileResponse:
    """Always a download, never shown in our origin: a file may be anything."""
    by = actor_of(request)
    file = evidence.downloadable(public_id, by=by)
    if file is None:
        sent = Attachment.objects.filter(public_id=public_id, submission__isnull=False).first()
        file = sent if sent and Ticket.objects.visible_to(by).filter(item=sent.submission_id).exists() else None
    if file is None:
        raise NotFound(gettext("There is no such file, or it belongs to another team."))
    return attachments.download(file)
