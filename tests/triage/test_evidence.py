"""Files of an action: taken for what they are, seen by whoever sees the action, swept up by nobody, and gone when they are removed."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback_portal.accounts.models import Team, User
from feedback_portal.refusals import BadInput
from intake import attachments
from intake.connectors.base import File
from intake.models import Attachment
from tests.intake.pictures import exif, jpeg, png
from tests.makers import AT, actor, make_person, make_team
from triage.improving import evidence, improvements
from triage.models import Action, ActionEvent, ActionFile

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7\n1 0 obj\n%%EOF\n"


@pytest.fixture(autouse=True)
def storage(settings: LazySettings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


@pytest.fixture
def seal(tariq: User) -> Action:
    return improvements.create(by=actor(tariq), at=AT, title="Re-seat the seal", team="quality")


@pytest.fixture
def desk(tariq: User) -> Client:
    client = Client()
    client.force_login(tariq)
    return client


def send(desk: Client, seal: Action, *files: tuple[str, bytes]) -> tuple[int, str]:
    sent = [SimpleUploadedFile(name, content, content_type="text/html") for name, content in files]
    answer = desk.post(f"/actions/{seal.reference}/add_files/", {"files": sent}, follow=True)
    return answer.status_code, answer.content.decode()


def names(seal: Action) -> list[str]:
    return [file.attachment.name for file in evidence.of(seal)]


def stored(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_files_are_added_without_javascript_and_stand_on_the_page_and_in_the_record(desk: Client, seal: Action) -> None:
    status, page = send(desk, seal, ("gauge.png", png()), ("drawing\u202egnp.pdf", PDF))

    assert status == 200
    assert "The files are there." in page
    assert names(seal) == ["gauge.png", "drawinggnp.pdf"]
    record = desk.get(f"/actions/{seal.reference}/record/").content.decode()
    for file in evidence.of(seal):
        assert file.attachment.name in page
        assert file.fingerprint in record
        assert (file.person, file.attachment.submission) == (seal.events.get(type="planned").person, None)
    assert "added: gauge.png" in record
    assert "changed its files" not in record, "which file is told, not that there was one"


def test_a_picture_loses_where_it_was_taken(desk: Client, seal: Action, storage: Path) -> None:
    send(desk, seal, ("there.jpg", jpeg(2, 3, exif(1))))

    (kept,) = stored(storage)
    assert b"GPS" not in kept.read_bytes()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("page.html", b"<script>alert(1)</script>")], "is neither a JPEG"),
        ([("photo.png", b"<svg onload=alert(1)>")], "is neither a JPEG"),
        ([("photo.pdf", png())], "is neither a JPEG"),
        ([("empty.png", b"")], "is empty"),
        ([("large.pdf", PDF + b" " * attachments.LONGEST_FILE)], "is larger than 10 MB"),
        ([("good.png", png()), ("bad.exe", b"MZ")], "is neither a JPEG"),
        ([(f"{number}.png", png(number + 1)) for number in range(attachments.MOST_FILES + 1)], "at most 5 files"),
        ([], "Choose a file first."),
    ],
    ids=["html", "svg as png", "png as pdf", "empty", "large", "one of two", "too many", "none"],
)
def test_what_is_no_evidence_is_refused_whole_and_leaves_nothing(
    desk: Client, seal: Action, storage: Path, files: list[tuple[str, bytes]], said: str
) -> None:
    status, page = send(desk, seal, *files)

    assert status == 422
    assert said in page
    assert stored(storage) == names(seal) == []


def test_the_same_bytes_are_kept_once_and_an_action_holds_so_many(
    tariq: User, seal: Action, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MOST", 4)

    def add(*contents: bytes) -> int:
        return len(
            evidence.add(seal, [File("a.pdf", "application/pdf", each) for each in contents], by=actor(tariq), at=AT)
        )

    assert (add(b"one", b"one", b"two"), add(b"two", b"three")) == (2, 1)
    assert add(*(f"{number}".encode() for number in range(evidence.MOST - 3))) == evidence.MOST - 3
    with pytest.raises(BadInput):
        add(b"one too many")
    assert len(stored(storage)) == ActionFile.objects.count() == evidence.MOST


def test_who_sees_the_action_may_have_the_file_and_nobody_else(desk: Client, seal: Action) -> None:
    send(desk, seal, ("gauge.png", png()))
    (file,) = evidence.of(seal)
    address = f"/triage/files/{file.attachment.public_id}/"
    omar, helper = Client(), Client()
    omar.force_login(make_person("Omar", make_team("marketing")))
    helper.force_login(make_person("Hana", make_team("logistics")))
    seal.contributors.add(make_team("logistics"))

    got = desk.get(address)

    assert got["Content-Disposition"] == 'attachment; filename="gauge.png"'
    assert (got["X-Content-Type-Options"], got["Content-Security-Policy"]) == ("nosniff", "sandbox; default-src 'none'")
    assert b"".join(got.streaming_content) == png()  # type: ignore[attr-defined]
    assert helper.get(address).status_code == 200
    assert omar.get(address).status_code == 404
    for verb in ("add_files", "remove_file"):
        assert omar.post(f"/actions/{seal.reference}/{verb}/", {"file": file.attachment.public_id}).status_code == 404
    assert Client().get(address).status_code == 302
    assert names(seal) == ["gauge.png"]


@pytest.mark.django_db(transaction=True)
def test_a_removed_file_is_gone_and_only_the_history_says_that_it_was_there(
    desk: Client, seal: Action, storage: Path
) -> None:
    send(desk, seal, ("gauge.png", png()), ("drawing.pdf", PDF))
    other = improvements.create(by=actor(make_person("Tariq")), at=AT, title="Another", team="quality")
    file = evidence.of(seal)[0].attachment

    for wrong in ("no-id", str(file.public_id)[:-4] + "0000"):
        assert desk.post(f"/actions/{seal.reference}/remove_file/", {"file": wrong}).status_code == 404
    assert desk.post(f"/actions/{other.reference}/remove_file/", {"file": file.public_id}).status_code == 404
    page = desk.post(f"/actions/{seal.reference}/remove_file/", {"file": file.public_id}, follow=True).content.decode()

    assert "The file is gone." in page
    assert names(seal) == ["drawing.pdf"]
    assert len(stored(storage)) == Attachment.objects.count() == 1
    assert desk.get(f"/triage/files/{file.public_id}/").status_code == 404
    told = ActionEvent.objects.filter(action=seal, type="filed").order_by("pk").values_list("data", flat=True)
    assert list(told) == [{"added": "gauge.png"}, {"added": "drawing.pdf"}, {"removed": "gauge.png"}]


def test_the_sweep_leaves_the_files_of_actions(desk: Client, seal: Action, storage: Path) -> None:
    send(desk, seal, ("gauge.png", png()))
    at = timezone.now() + timedelta(days=2)

    for hour in range(24):
        attachments.sweep(at=at.replace(hour=hour))
    assert default_storage.exists(Attachment.objects.get().stored_as)
    ActionFile.objects.all().delete()
    Attachment.objects.all().delete()
    swept = sum(attachments.sweep(at=at.replace(hour=hour)) for hour in range(24))

    assert swept == 1
    assert stored(storage) == []


def test_many_files_cost_the_page_as_much_as_few(desk: Client, tariq: User, seal: Action) -> None:
    def cost(*contents: bytes) -> int:
        evidence.add(seal, [File("a.pdf", "application/pdf", each) for each in contents], by=actor(tariq), at=AT)
        with CaptureQueriesContext(connection) as queries:
            desk.get(f"/actions/{seal.reference}/")
        return len(queries)

    assert cost(b"1", b"2") == cost(*(f"more {number}".encode() for number in range(6)))
