"""Forms of our own: published in versions that never change, and answered exactly once however often a button is pressed."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core import signing
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake import normalizing, proof_of_work, receiving
from intake.cleaning import clean_line
from intake.connectors.base import File, Ignored, RawItem, Unreadable
from intake.models import Channel, Form, FormVersion, Submission
from intake.questions import Definition, Option, Question, as_json, from_json
from intake.receiving import Received

TOKEN_LASTS = timedelta(hours=24)
# What waits on a device for its network is sent or given up by then.
KEPT_ON_A_DEVICE = timedelta(days=30)
# Nobody reads a form and answers it in less.
QUICKEST = timedelta(seconds=2)
# Whoever has used up so much of what they may send looks like a program.
STRAINED = 0.75
# Why an answer is held back until the device it came from has proved that it is no program; a filled trap is held back
# whatever it proves.
PROVABLE = frozenset({"too quick", "many at once", "page not as we sent it", "proof asked of everybody"})

FIRST_FORM = Definition(
    title="Tell us what happened",
    intro="Good or bad, large or small. Only one answer is needed.",
    description="Something about our products or how we treated you.",
    time_label="About a minute",
    questions=(
        Question(
            "rating",
            "scale",
            "How was it?",
            scale="csat5",
            faces=True,
            options=tuple(
                Option(str(step), word) for step, word in enumerate(("Bad", "Poor", "Fair", "Good", "Great"), start=1)
            ),
        ),
        Question("text", "text", "What happened?", place="text", long=True, required=True),
        Question("product", "text", "Which product is it about?", place="product", max_length=120),
        Question("order", "text", "Order or serial number", max_length=60),
        Question("photo", "file", "A photo or a document", help="A picture often says it best."),
        Question(
            "contact",
            "contact",
            "How can we reach you?",
            help="We write to you about this only. Leave it empty to stay unknown.",
            asks=("name", "email"),
        ),
    ),
)

_FORM_TOKEN = signing.Signer(salt="intake.form")
_ABOUT = signing.Signer(salt="intake.about")
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,60}\Z")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]{1,253}(:\d{1,5})?\Z")


class FormClosed(Refused):
    status = 410
    code = "form-closed"
    title = marked("This form is closed")


class BadToken(BadInput):
    code = "bad-token"
    title = marked("This page cannot be sent")


@dataclass(frozen=True)
class Sheet:
    """One copy of a form that was handed out: its nonce is the external id of whatever is written on it."""

    form: Form
    version: int
    nonce: str
    handed_out_at: datetime
    # A page that was kept for when there is no network is opened and sent many times; each of them is a copy of its own.
    copy: str = ""

    @property
    def external_id(self) -> str:
        return f"{self.nonce}.{self.copy}" if self.copy else self.nonce

    def is_stale(self, at: datetime) -> bool:
        return at - self.handed_out_at > TOKEN_LASTS

    def token(self) -> str:
        """What the page carries; needs no cookie and no row."""
        stamp = int(self.handed_out_at.timestamp() * 1000)
        return _FORM_TOKEN.sign_object([self.form.pk, self.version, self.nonce, stamp])

    def definition(self) -> Definition:
        """What this copy asks, even if the form asks something else by now."""
        current = self.form.current
        if current is None or current.number != self.version:
            current = FormVersion.objects.get(form=self.form, number=self.version)
        return from_json(current.definition)

    def renewed(self, at: datetime) -> "Sheet":
        """The same copy with time left to send it. It was read long ago, so sending it now is not too quick."""
        return replace(self, handed_out_at=at - QUICKEST)


def furnish() -> None:
    """An empty portal can be written to at once: a published form, and a channel for programs."""
    if Channel.objects.exists():
        return
    Channel.objects.create(slug="api", name="REST API", kind="rest_api")
    create_form("feedback", name="Web form", definition=FIRST_FORM, channel_slug="web-form")


def create_form(
    slug: str, *, name: str, definition: Definition, channel_slug: str = "", allowed_origins: Sequence[str] = ()
) -> Form:
    """A form on a channel of its own, published at once. `allowed_origins` are those that may frame it."""
    with transaction.atomic():
        form = draft_form(slug, name=name, definition=definition, channel_slug=channel_slug)
        allow_frames(form, allowed_origins)
        publish(form, definition)
    return form


def draft_form(slug: str, *, name: str, definition: Definition, channel_slug: str = "") -> Form:
    """A form on a channel of its own that nobody sees yet."""
    if not _SLUG.match(slug) or slug == "new":
        raise _bad(
            "slug",
            gettext('"%(slug)s" cannot be the address of a form. Use up to 60 letters, digits and dashes.')
            % {"slug": slug[:100]},
        )
    try:
        with transaction.atomic():
            channel = Channel.objects.create(slug=channel_slug or slug, name=name, kind="web_form")
            return Form.objects.create(slug=slug, channel=channel, draft=as_json(definition))
    except IntegrityError:
        raise _bad(
            "slug", gettext('There is a form or a channel "%(slug)s" already. Choose another name.') % {"slug": slug}
        ) from None


def allow_frames(form: Form, origins: Sequence[str]) -> None:
    """Let pages of these origins show the form in a frame, and no others."""
    bad = next((origin for origin in origins if not _ORIGIN.match(origin)), None)
    if bad is not None:
        raise _bad(
            "allowed_origins",
            gettext('"%(bad)s" is not an origin. Write it like https://shop.example.com.') % {"bad": bad[:100]},
        )
    Form.objects.filter(pk=form.pk).update(allowed_origins=list(origins))
    form.allowed_origins = list(origins)


def ask_proof(form: Form, *, asked: bool) -> None:
    """Let every device prove that it is no program before what it sends goes on, or only those that look like one."""
    with transaction.atomic():
        channel = Channel.objects.select_for_update().get(pk=form.channel_id)
        channel.settings = {**channel.settings, "asks_proof": asked}
        channel.save(update_fields=["settings"])
    form.channel.settings = channel.settings


def publish(form: Form, definition: Definition) -> FormVersion:
    """Ask this from now on, whatever is drafted. Publishing what is asked already makes no new version."""
    told = as_json(definition)
    with transaction.atomic():
        locked = Form.objects.select_for_update().get(pk=form.pk)
        version = locked.current
        if version is None or version.definition != told:
            last = locked.versions.order_by("-number").values_list("number", flat=True).first() or 0
            version = FormVersion.objects.create(form=locked, number=last + 1, definition=told)
        # A draft of the very same, or of a form that was never published, has served.
        draft = None if locked.current is None or locked.draft == told else locked.draft
        Form.objects.filter(pk=form.pk).update(current=version, state=Form.State.PUBLISHED, draft=draft)
    form.current, form.state, form.draft = version, Form.State.PUBLISHED, draft
    return version


def close(form: Form, *, note: str = "") -> None:
    """Take nothing in any more, and tell visitors so; `reopen` and publishing open it again."""
    note = clean_line(note, longest=300)
    Form.objects.filter(pk=form.pk).update(state=Form.State.CLOSED, closed_note=note)
    form.state, form.closed_note = Form.State.CLOSED, note


def reopen(form: Form) -> None:
    """Take answers in again, to what was asked last."""
    if form.current is None:
        raise BadInput(gettext("This form was never published. Publish it, which opens it too."))
    Form.objects.filter(pk=form.pk).update(state=Form.State.PUBLISHED)
    form.state = Form.State.PUBLISHED


def published_forms() -> list[Form]:
    """Those that people can open, in the order they were made."""
    found = Form.objects.filter(state=Form.State.PUBLISHED, channel__is_enabled=True)
    return list(found.select_related("channel", "current").order_by("pk"))


def open_form(slug: str) -> Form:
    """The published form of this address; `NotFound` when there never was one, `FormClosed` when there is none any more."""
    form = Form.objects.select_related("channel", "current").filter(slug=slug).first()
    if form is None or form.state == Form.State.DRAFT:
        raise NotFound(gettext("There is no form at this address. See on the first page which ones are open."))
    if form.state == Form.State.CLOSED or not form.channel.is_enabled:
        raise FormClosed(
            form.closed_note or gettext("This form takes no more answers. See on the first page which ones are open.")
        )
    return form


def hand_out(form: Form, *, at: datetime) -> Sheet:
    assert form.current is not None, "a published form has a version"
    return Sheet(form, form.current.number, secrets.token_urlsafe(16), at)


def read_token(form: Form, token: str) -> Sheet:
    """The copy that a page carries the token of; `BadToken` when we did not make it, or for another form."""
    try:
        form_pk, version, nonce, stamp = _FORM_TOKEN.unsign_object(token)
        if form_pk != form.pk:
            raise BadToken(gettext("This page belongs to another form. Open the form again and send it from there."))
        return Sheet(form, version, nonce, datetime.fromtimestamp(stamp / 1000, UTC))
    except (signing.BadSignature, ValueError, TypeError):
        raise BadToken(
            gettext(
                "What makes this page yours is missing or was changed on the way. Go back, copy what you wrote, open the form"
                " again and send it from there."
            )
        ) from None


def submit(
    sheet: Sheet,
    answers: Mapping[str, Any],
    *,
    at: datetime,
    files: Sequence[File] = (),
    about: Mapping[str, str] | None = None,
    language: str = "",
    written_at: datetime | None = None,
    trap: str | None = "",
    strain: float = 0,
) -> Received:
    """Store what was written on one copy of a form; the same copy again gives the first answer back.

    What looks like a program's work is kept apart for staff to see, and its sender is thanked like everybody. `trap` is what
    stood in the field that people leave empty, None when the page came without it; `strain` is how much of what they may
    send they have used up. `written_at` is for what waited on a device.
    """
    definition = sheet.definition().in_language(language)
    asked = [
        {
            name: getattr(question, name)
            for name in ("name", "kind", "label", "scale", "place")
            if getattr(question, name)
        }
        for question in definition.questions
        if question.kind not in {"file", "context"}
    ]
    payload = {
        "form": sheet.form.slug,
        "version": sheet.version,
        "language": definition.language if len(definition.languages) > 1 else "",
        "questions": asked,
        "answers": dict(answers),
        "about": dict(about or {}),
    }
    if written_at is not None:
        payload["written_at"] = written_at.isoformat()
    reason = _suspicion(sheet, at=at, trap=trap, strain=strain)
    raw = RawItem(sheet.external_id, json.dumps(payload, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace"))
    return receiving.receive(sheet.form.channel, raw, at=at, quarantine=reason, files=files)


def read_written_at(stamp: str, *, at: datetime) -> datetime | None:
    """When a device says that something was written, in milliseconds of its clock; None when that cannot be."""
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 14:
        return None
    written_at = datetime.fromtimestamp(int(stamp) / 1000, UTC)
    return written_at if at - KEPT_ON_A_DEVICE <= written_at <= at else None


def prove(form: Form, submission: Submission, payload: str, *, at: datetime) -> None:
    """Let in what was held back, when its device has proved that it is no program; `BadProof` when it has not."""
    if submission.quarantine_reason in PROVABLE:
        proof_of_work.spend(form, payload, at=at)
        receiving.release(submission)


def is_answered_by_mail(submission: Submission) -> bool:
    """Whether its sender left an address to be written to; what is held back gets no mail."""
    if submission.quarantine_reason:
        return False
    try:
        sender = normalizing.read(submission).sender
    except (Unreadable, Ignored):
        return False
    return bool(sender.email and sender.may_contact)


def link_about(form: Form, facts: Mapping[str, str]) -> str:
    """The path of the form with facts that its answers are about (an order, a batch), signed so that nobody can change them."""
    return f"{reverse('intake:form', args=[form.slug])}?about={_ABOUT.sign_object([form.pk, dict(facts)])}"


def read_about(form: Form, signed: str) -> dict[str, str]:
    """The facts of a signed link that the form asks for; none when the link is not ours."""
    assert form.current is not None, "a published form has a version"
    try:
        form_pk, facts = _ABOUT.unsign_object(signed)
    except (signing.BadSignature, ValueError, TypeError):
        return {}
    wanted = {question.name for question in from_json(form.current.definition).of_kind("context")}
    return {name: str(value) for name, value in facts.items() if name in wanted} if form_pk == form.pk else {}


def _suspicion(sheet: Sheet, *, at: datetime, trap: str | None, strain: float) -> str:
    """Why this looks like a program's work; empty when it does not."""
    if trap:
        return "honeypot"
    if at - sheet.handed_out_at < QUICKEST:
        return "too quick"
    if strain >= STRAINED:
        return "many at once"
    if trap is None:
        return "page not as we sent it"
    return "proof asked of everybody" if sheet.form.channel.settings.get("asks_proof") is True else ""


def _bad(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))
