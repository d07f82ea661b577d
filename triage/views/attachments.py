"""Files customers sent, as downloads, after asking who may have them."""

from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.refusals import NotFound
from intake.models import Attachment
from triage.models import Ticket


@login_required
@require_GET
def attachment(request: HttpRequest, public_id: str) -> FileResponse:
    """Always a download, never shown in our origin: a customer's file may be anything."""
    file = Attachment.objects.filter(public_id=public_id).first()
    if file is None or not Ticket.objects.visible_to(actor_of(request)).filter(item=file.submission_id).exists():
        raise NotFound(gettext("There is no such file, or it belongs to another team."))
    response = FileResponse(default_storage.open(file.stored_as), as_attachment=True, filename=file.name)
    response["Content-Type"] = "application/octet-stream"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
