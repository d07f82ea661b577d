"""Mails as files: every dialect of a mailbox, and mails made to cost a reader minutes or its memory."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from intake import importing, normalizing
from intake.connectors import connectors, mime
from intake.connectors.base import BadRow, Draft, FileConnector, Ignored, RawItem, Row, Unreadable
from intake.connectors.replies import reply_of
from intake.models import FeedbackItem
from tests.makers import AT, make_channel

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT.parent / "shared" / "samples"
MAIL = b"From: ana@customers.example\nMessage-ID: <%d@customers.example>\nSubject: No. %d\n\n%s\n"


def rows(content: bytes) -> list[Row]:
    connector = connectors.get("email")
    assert isinstance(connector, FileConnector)
    found = list(connector.rows(io.BytesIO(content), settings={}))
    assert not [row for row in found if isinstance(row, BadRow)]
    return [row for row in found if isinstance(row, Row)]


def read(content: bytes, **headers: str) -> Draft:
    return connectors.get("email").parse(RawItem("1", content, headers=headers), settings={})


def texts(content: bytes) -> list[str]:
    return [read(row.raw.payload, **row.raw.headers).text for row in rows(content)]


def test_one_mail_is_known_by_its_id_and_without_one_by_its_bytes() -> None:
    (row,) = rows(MAIL % (1, 1, b"Hello"))
    assert row.raw.external_id == "1@customers.example"
    nameless = b"From: ana@customers.example\n\nMessage-ID: <of@the.text>\n"
    assert (
        rows(nameless)[0].raw.external_id
        == rows(nameless)[0].raw.external_id
        != rows(nameless + b"!")[0].raw.external_id
    )
    assert len(rows(nameless)[0].raw.external_id) == 64


@pytest.mark.parametrize("quote", [b">", b">>"])
def test_a_mailbox_gives_back_the_lines_it_had_to_quote(quote: bytes) -> None:
    line = b"From Monday on it was broken."
    envelope = b"From ana@customers.example Tue Mar  3 09:15:00 2026\n"
    box = envelope + MAIL % (1, 1, b"So:\n\n" + quote + line) + b"\n" + envelope + MAIL % (2, 2, b"Second")
    assert texts(box) in (["So:\n\n" + line.decode(), "Second"], ["So:", "Second"])
    assert rows(box)[0].raw.payload.endswith(quote[1:] + line + b"\n\n")


def test_a_line_of_a_letter_begins_no_mail() -> None:
    box = (
        b"From - \n"
        + MAIL % (1, 1, b"Seen:\n\nFrom Russia with love\nYear: 1963")
        + b"From - \n"
        + MAIL % (2, 2, b"Second")
    )
    assert texts(box) == ["Seen:\n\nFrom Russia with love\nYear: 1963", "Second"]


def test_a_length_that_leads_to_the_next_mail_is_believed_and_no_other() -> None:
    envelope = b"From ana@customers.example Tue Mar  3 09:15:00 2026\n"
    body = b"One\n\n" + envelope + b"Subject: no mail\n\nstill one\n"
    head = b"From: ana@customers.example\nContent-Length: %d\n\n"
    told = envelope + head % len(body) + body + b"\n" + envelope + MAIL % (2, 2, b"Second")
    lied = envelope + head % 7 + b"One\n\n" + envelope + MAIL % (2, 2, b"Second")
    assert [row.raw.payload for row in rows(told)] == [head % len(body) + body, MAIL % (2, 2, b"Second")]
    assert texts(lied) == ["One", "Second"]


def test_a_mail_too_long_costs_itself_and_its_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mime, "LONGEST_MAIL", 100_000)
    monkeypatch.setattr(mime, "LONGEST_HEADERS", 1_000)
    box = b"From - \n" + MAIL % (1, 1, b"x" * 200_000) + b"\nFrom - \n" + MAIL % (2, 2, b"Second")
    first, second = rows(box)
    assert (first.raw.external_id, len(first.raw.payload)) == ("1@customers.example", 1_000)
    with pytest.raises(Unreadable, match="beginning was taken in"):
        read(first.raw.payload, **first.raw.headers)
    assert read(second.raw.payload).text == "Second"


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(Unreadable, match="empty"):
        rows(b"")


HOSTILE = {
    "200,000 parts": "head + b'Content-Type: multipart/mixed; boundary=b\\n\\n' + b'--b\\n\\nx\\n' * 200_000",
    "many parts in few lines": "head + b'Content-Type: multipart/mixed; boundary=b\\n\\n' + b'--b\\n\\n' * 100_000",
    "2,000 levels": "b''.join(b'Content-Type: multipart/mixed; boundary=b%d\\n\\n--b%d\\n' % (n, n) for n in range(2000))",
    "2,000 mails in mails": "b'Content-Type: message/rfc822\\n\\n' * 2_000",
    "20,000 encoded words": "b'Subject: ' + b'=?utf-8?q?a?= ' * 20_000 + b'\\n\\nx'",
    "5,000 brackets": "b'From: ' + b'(' * 5_000 + b'\\n\\nx'",
    "20,000 addresses": "b'To: ' + b'a@b.c,\\n ' * 20_000 + b'\\n\\nx'",
    "60,000 parameters": "b'Content-Type: text/plain' + b';' * 60_000 + b'\\n\\nx'",
    "parameters of a part": "head + b'Content-Type: multipart/mixed; boundary=b\\n\\n--b\\nContent-Type: multipart/mixed' + b';a=' * 900_000",
    "endless number of a parameter": "b'Content-Type: multipart/mixed; boundary*' + b'9' * 5_000 + b'=x\\n\\nx'",
    "24,000,000 lines": "head + b'\\n' * 24_000_000",
    "more than 25 MB": "head + b'x' * 26_000_000",
}  # fmt: skip
ODD = {
    "unknown charset": "head + b'Content-Type: text/plain; charset=x-none\\n\\nThe lid \\xe9'",
    "charset that costs the square": "head + b'Content-Type: text/plain; charset=punycode\\n\\nThe lid-' + b'a' * 400_000",
    "open comments": "head + b'Content-Type: text/html\\n\\nThe lid ' + b'<!--' * 500_000",
    "open tags": "head + b'Content-Type: text/html\\n\\nThe lid ' + b'<a ' * 500_000",
    "open sections": "head + b'Content-Type: text/html\\n\\nThe lid ' + b'<![CDATA[' * 500_000",
    "announcements of quotes": "head + b'\\nThe lid\\n' + (b'Am schrieb ' * 17 + b'\\n') * 5_000",
    "one line of announcements": "head + b'\\nThe lid\\n' + b'On a b ' * 5_000 + b':'",
    "beginnings of files": "head + b'\\nThe lid\\n' + b'begin 644 x\\n' * 100_000 + b'\\nend'",
}  # fmt: skip
SCRIPT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
resource.setrlimit(resource.RLIMIT_AS, (512 * 1024 * 1024,) * 2)
import intake.connectors.email
from intake.connectors import connectors
from intake.connectors.base import RawItem, Unreadable
head = b"From: ana@customers.example\\nSubject: The lid\\n"
raw = RawItem("1", eval(sys.argv[1]))
calls = 0
def count(frame, event, argument):
    global calls
    calls += 1
if sys.argv[2] == "counted":
    sys.setprofile(count)
try:
    said = connectors.get("email").parse(raw, settings={}).text
except Unreadable as reason:
    said = str(reason)
finally:
    sys.setprofile(None)
print(calls)
print(said[:100])
"""


def bounded(payload: str, *, counted: str) -> tuple[int, str]:
    """What reading it comes to in a process of its own, with ten seconds and 512 MB: calls made, and what was said."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, payload, counted], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    calls, said = done.stdout.split("\n", 1)
    return int(calls), said.strip()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_mail_made_to_cost_minutes_is_refused_after_little_work(name: str) -> None:
    calls, said = bounded(HOSTILE[name], counted="counted")
    assert said.endswith(".")
    # One pass over 64 KB of header lines makes about as many; 200,000 parts would make millions.
    assert calls < 100_000


@pytest.mark.parametrize("name", ODD)
def test_an_odd_mail_is_read_within_bounds(name: str) -> None:
    assert bounded(ODD[name], counted="no")[1].startswith("The lid")


def test_as_many_parts_and_levels_as_may_be_are_read() -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\n\n"
    assert "word" in read(b"Subject: s\n" + head + b"--b\n\nword\n" * (mime.MOST_PARTS - 1)).text
    with pytest.raises(Unreadable, match="200 parts"):
        read(b"Subject: s\n" + head + b"--b\n\nword\n" * mime.MOST_PARTS)
    levels = [b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(mime.DEEPEST)]
    assert read(b"".join(levels) + b"\nword").text == "word"


def test_more_files_than_are_taken_and_a_file_too_large_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mime, "LONGEST_FILE", 10)
    part = b"--b\nContent-Type: image/png\nContent-Disposition: attachment; filename=%s\n\n%s\n"
    mail = b"Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n" + part % (b"large.png", b"x" * 11)
    draft = read(mail + (part % (b"small.png", b"x")) * (mime.MOST_FILES + 3))
    assert len(draft.files) == mime.MOST_FILES
    assert [remark.place for remark in draft.remarks] == ["large.png", "attachments"]
    assert "3 more files" in draft.remarks[1].reason


@pytest.mark.parametrize(
    ("mail", "kept"),
    [
        ("Works now.\n\nThanks, but the lid\nis still loose.", "Works now.\n\nThanks, but the lid\nis still loose."),
        ("Broken.\n\nTake it back.", "Broken.\n\nTake it back."),
        ("I want:\n- a new lid\n- my money", "I want:\n- a new lid\n- my money"),
        ("Broken.\n\nMit freundlichen Grüßen\nAna\nStr. 1", "Broken."),
        ("Broken.\n\nSent from my phone", "Broken."),
        ("Best regards,\nAna", "Best regards,\nAna"),
        ("> only a quote", "> only a quote"),
        ("Nem.\n\n2026.03.03. 7:31 keltezéssel, Care írta:\n\n> Jó?", "Nem."),
        ("Ei.\n\nti 3. maaliskuuta 2026 klo 7.50 Care\n<care@portal.example> kirjoitti:\n\nSopiiko?", "Ei."),
        ("Non.\n\nDe : Care <care@portal.example>\nÀ : Ana\nEnvoyé le : mardi 3 mars 2026\n\nEt alors ?", "Non."),
        ("No.\n\n--- On Tue, 3/3/26, Care <care@portal.example> wrote:\n\nDoes it fit?", "No."),
        (
            "Name: Ana\nE-Mail: ana@x.example\nOrder: 12\n\nIt broke.",
            "Name: Ana\nE-Mail: ana@x.example\nOrder: 12\n\nIt broke.",
        ),
        (
            "Part  Price\n-----------------------------------\nlid   12",
            "Part  Price\n-----------------------------------\nlid   12",
        ),
        ("Broken.\n\nEnvoyé à partir de Outlook pour iOS\n________________________________", "Broken."),
        ("It wrote: error 5.\nOn Monday it wrote nothing.", "It wrote: error 5.\nOn Monday it wrote nothing."),
        ("Nein.\n\nAm 3. März 2026 um 10:00 schrieb Care <care@portal.example>:\n\n> Passt er?", "Nein."),
        ("Non.\n\nLe mar. 3 mars 2026 à 10:00, Care <care@portal.example> a écrit :\n\n> Et alors ?", "Non."),
    ],
)
def test_the_words_of_the_writer_are_kept_and_no_others(mail: str, kept: str) -> None:
    assert reply_of(mail).text == kept


def samples() -> Iterator[tuple[str, RawItem]]:
    for path in sorted((SAMPLES / "email").glob("*.eml")) + sorted((SAMPLES / "email").glob("*.mbox")):
        for row in rows(path.read_bytes()):
            yield path.name, row.raw


@pytest.mark.skipif(not (SAMPLES / "email").exists(), reason="The samples are not beside the project.")
def test_every_mail_of_the_samples_is_accounted_for() -> None:
    said: dict[str, str] = {}
    for name, raw in samples():
        try:
            connectors.get("email").parse(raw, settings={})
        except (Ignored, Unreadable) as reason:
            said[name] = str(reason)
    assert all(reason.endswith(".") for reason in said.values())
    bounces = {name for name, _ in samples() if name.startswith("sisimai_")}
    # One of them tells only in its subject that a program sent it.
    assert bounces - said.keys() == {"sisimai_rfc3834-03.eml"}
    assert not [name for name, reason in said.items() if "cannot be taken apart" in reason]


@pytest.mark.skipif(not (SAMPLES / "email_replies").exists(), reason="The samples are not beside the project.")
def test_every_reply_of_the_samples_is_shortened_to_something() -> None:
    for path in sorted((SAMPLES / "email_replies").glob("*.txt")):
        text = path.read_text(encoding="utf-8", errors="replace")
        reply = reply_of(text)
        assert reply.text.strip(), path.name
        assert set(reply.text.split()) <= set(text.split()), path.name


@pytest.mark.django_db
def test_one_hostile_mail_of_a_mailbox_costs_the_others_nothing(tmp_path: Path) -> None:
    bomb = (
        b"From: mallory@x.example\nMessage-ID: <bomb@x.example>\nContent-Type: multipart/mixed; boundary=b\n\n"
        + b"--b\n\n" * 300
    )
    automatic = (
        b"From: ana@customers.example\nMessage-ID: <away@x.example>\nAuto-Submitted: auto-replied\n\nI am away.\n"
    )
    path = tmp_path / "care.mbox"
    path.write_bytes(
        b"".join(
            b"From - \n" + each + b"\n" for each in (MAIL % (1, 1, b"Hello"), bomb, automatic, MAIL % (2, 2, b"Bye"))
        )
    )
    channel = make_channel("mails", kind="email")
    told: list[importing.Notice] = []
    importing.import_file(channel, path, at=AT, dry_run=True, notice=told.append)
    assert [(notice.row, notice.reason.split(".")[0]) for notice in told] == [
        (2, "The mail has more than 200 parts"),
        (3, "It was sent automatically (Auto-Submitted: auto-replied)"),
    ]
    report = importing.import_file(channel, path, at=AT)
    assert (report.read, report.created, report.skipped, report.failed) == (4, 2, 1, 1)
    normalizing.normalize_pending(at=AT)
    assert list(FeedbackItem.objects.order_by("pk").values_list("text", flat=True)) == ["Hello", "Bye"]
    again = importing.import_file(channel, path, at=AT)
    assert (again.created, again.duplicate) == (0, 2)
