"""Transcripts in every shape become turns: who spoke, what, and when; what cannot be read is told, and noise is no speech."""

import io
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.connectors import connectors
from intake.connectors.base import BadRow, Unreadable
from intake.connectors.spoken import Broken, Turn, turns

VOICES = """WEBVTT - second round

NOTE written by hand

STYLE
::cue { color: red }

intro
00:03.200 --> 00:05.000 align:start
<v Mara>Welcome. <i>Who</i> begins?</v>

00:00:06.000 --> 00:00:09.500
<v.loud Jon &amp; Co>The lid came off &lt;twice&gt;.

00:00:09.500 --> 00:00:12.000
It did.
"""

CASES = {
    "captions.sbv": (
        "0:00:00.378,0:00:11.378\nAna: It drips.\n\n0:01:11.378,0:01:12.305\nUwe: Mine, 2,5 drops an hour.\n",
        [("Ana", "It drips.", 0.378), ("Uwe", "Mine, 2,5 drops an hour.", 71.378)],
    ),
    "voices.vtt": (
        VOICES,
        [("Mara", "Welcome. Who begins?", 3.2), ("Jon & Co", "The lid came off <twice>. It did.", 6.0)],
    ),
    "named.vtt": (
        "WEBVTT\n\n1\n00:01.000 --> 00:02.000\nAna Lopez: It drips.\n\n2\n00:02.000 --> 00:03.000\nUwe: Mine too: always.\n",
        [("Ana Lopez", "It drips.", 1.0), ("Uwe", "Mine too: always.", 2.0)],
    ),
    "brackets.srt": (
        "1\n00:00:01,500 --> 00:00:02,000\n[Ana] It drips.\n\n2\n00:00:02,000 --> 00:00:03,000\n(Uwe) Mine too.\n",
        [("Ana", "It drips.", 1.5), ("Uwe", "Mine too.", 2.0)],
    ),
    "colons.txt": (
        "Dr. Ana Lopez: It drips, as I said: daily.\n\nand nobody came.\n\nSpeaker 2: Mine too.\n",
        [("Dr. Ana Lopez", "It drips, as I said: daily. and nobody came.", None), ("Speaker 2", "Mine too.", None)],
    ),
    "headed.txt": (
        "Ana Lopez  0:05\nIt drips.\n\nUwe  1:02:03\nMine too.\n",
        [("Ana Lopez", "It drips.", 5.0), ("Uwe", "Mine too.", 3723.0)],
    ),
    "windows.srt": (
        "1\r\n00:00:01,000 --> 00:00:02,000\r\nJörg: Es tropft.\r\n\r\n",
        [("Jörg", "Es tropft.", 1.0)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_shape_gives_its_turns(name: str) -> None:
    text, wanted = CASES[name]
    found = turns(name, text.encode())
    assert [(each.speaker, each.text, each.start) for each in found if isinstance(each, Turn)] == wanted
    assert not [each for each in found if isinstance(each, Broken)]


def test_an_old_encoding_is_read() -> None:
    [turn] = turns("a.txt", "Jörg Müller: Es tropft über Nacht, für mich ärgerlich.".encode("cp1252"))
    assert isinstance(turn, Turn)
    assert turn.speaker == "Jörg Müller"


def word(body: str) -> bytes:
    file = io.BytesIO()
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    with zipfile.ZipFile(file, "w") as book:
        book.writestr("word/document.xml", f'<w:document xmlns:w="{namespace}"><w:body>{body}</w:body></w:document>')
    return file.getvalue()


def paragraph(*runs: str) -> str:
    return "<w:p>" + "".join(f"<w:r>{run}</w:r>" for run in runs) + "</w:p>"


def test_a_word_document_with_names_in_bold() -> None:
    body = paragraph("<w:rPr><w:b/></w:rPr><w:t>Ana  </w:t>", "<w:t>00:00:05</w:t><w:br/>", "<w:t>It drips.</w:t>")
    [turn] = turns("a.docx", word(body))
    assert turn == Turn("Ana", "It drips.", 5.0, 2)


def test_a_word_table_carries_the_name_down() -> None:
    def row(*cells: str) -> str:
        return "<w:tr>" + "".join(f"<w:tc>{paragraph(f'<w:t>{cell}</w:t>')}</w:tc>" for cell in cells) + "</w:tr>"

    body = (
        "<w:tbl>"
        + row("0:05", "Ana", "It drips.")
        + row("0:07", "", "Daily.")
        + row("0:09", "Uwe", "Mine too.")
        + "</w:tbl>"
    )
    found = turns("a.docx", word(body))
    assert [(each.speaker, each.text) for each in found if isinstance(each, Turn)] == [
        ("Ana", "It drips. Daily."),
        ("Uwe", "Mine too."),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 broken",
        word("")[:-30],
        b"",
        b"\x00\x01\x02",
        b"WEBVTT\n\n",
        word('<!DOCTYPE x [<!ENTITY a "b">]>&a;'),
    ],
)
def test_what_is_no_transcript_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(Unreadable, match=r"\.$"):
        turns("a.docx" if content.startswith(b"PK") else "a.vtt", content)


def test_a_block_that_cannot_be_read_costs_only_itself() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:1d\nA: Lost.\n\n00:02.000 --> 00:03.000\nB: Kept.\n\nno time\nhere\n"
    found = turns("a.vtt", text.encode())
    assert [each.reason[:8] for each in found if isinstance(each, Broken)] == ["Its time", "It names"]
    assert [each.text for each in found if isinstance(each, Turn)] == ["Kept."]
    rows = list(connectors.get("transcript").rows(io.BytesIO(text.encode()), settings={}))
    assert sum(isinstance(row, BadRow) for row in rows) == 2


def test_the_same_file_gives_the_same_ids_and_the_question_stands_beside_the_answer() -> None:
    text = b"Moderator: What happened?\n\nAna: It drips.\n"
    connector = connectors.get("transcript")
    first, again = (list(connector.rows(io.BytesIO(text), settings={})) for _ in range(2))  # type: ignore[attr-defined]
    assert [row.raw.external_id for row in first] == [row.raw.external_id for row in again]
    assert connector.parse(first[1].raw, settings={}).context == {"question": "What happened?"}


@given(st.text(alphabet="<v>: \n-0123456789.,&;AbWEBVT[]()", max_size=400))
def test_whatever_arrives_is_turns_or_a_sentence(text: str) -> None:
    for name in ("a.vtt", "a.srt", "a.txt"):
        with suppress(Unreadable):
            found = turns(name, text.encode())
            assert all(each.text.strip() == each.text for each in found if isinstance(each, Turn))


SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "focus_groups"


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample files are not beside this checkout")
def test_every_sample_is_read_or_refused_in_a_sentence() -> None:
    for path in sorted(SAMPLES.rglob("*.*")):
        with suppress(Unreadable):
            assert turns(path.name, path.read_bytes())
