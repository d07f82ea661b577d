"""Files are taken for what their bytes say, lose what they tell beside the picture, and leave only as downloads."""

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from hypothesis import given
from hypothesis import strategies as st

from intake import attachments, receiving
from intake.attachments import BadFile, checked, shown_name
from intake.connectors.base import File, RawItem
from intake.models import Attachment, Channel, Submission
from intake.pictures import MOST_PIXELS, BadPicture, Picture, picture_of
from tests.intake.pictures import exif, jpeg, png, segment, webp

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
PLACE = b"GPS 52.5200 N 13.4050 E"


def picture(content: bytes) -> Picture:
    found = picture_of(content)
    assert found is not None
    return found


class TestPictures:
    @pytest.mark.parametrize(
        ("content", "kind"),
        [(jpeg(20, 30), "image/jpeg"), (png(20, 30), "image/png"), (webp(20, 30), "image/webp")],
    )
    def test_a_picture_is_known_with_its_size(self, content: bytes, kind: str) -> None:
        found = picture(content)

        assert (found.content_type, found.width, found.height) == (kind, 20, 30)

    @pytest.mark.parametrize(
        "content",
        [
            jpeg(2, 3, exif(1), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PLACE), segment(0xFE, PLACE)),
            jpeg(2, 3, segment(0xED, b"Photoshop 3.0\0" + PLACE), segment(0xE2, b"MPF\0" + PLACE)),
            jpeg() + b"a film beside the picture, " + PLACE,
            png(2, 3, (b"eXIf", PLACE), (b"tEXt", b"Place\0" + PLACE), (b"iTXt", PLACE), (b"tIME", PLACE)),
            png() + PLACE,
            webp(2, 3, (b"EXIF", PLACE), (b"XMP ", PLACE)),
            webp() + PLACE,
        ],
    )
    def test_where_it_was_taken_is_gone_and_the_picture_is_not(self, content: bytes) -> None:
        clean = picture(content).content

        assert PLACE not in clean
        again = picture(clean)
        assert (again.width, again.height, again.content) == (2, 3, clean)

    def test_a_webp_says_of_itself_what_it_still_holds(self) -> None:
        clean = picture(webp(2, 3, (b"EXIF", PLACE))).content

        assert clean[clean.index(b"VP8X") + 8] == 0
        assert struct.unpack_from("<I", clean, 4)[0] == len(clean) - 8

    def test_colours_and_pixels_stay(self) -> None:
        profile = segment(0xE2, b"ICC_PROFILE\0\1\1colours")

        assert picture(jpeg(2, 3, profile)).content == jpeg(2, 3, profile)
        assert picture(png()).content == png()

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("turned", range(2, 9))
    def test_how_it_is_to_be_turned_is_kept(self, turned: int, order: str) -> None:
        clean = picture(jpeg(2, 3, exif(turned, order=order))).content

        assert PLACE not in clean
        assert clean.count(b"Exif\0\0") == 1
        assert struct.unpack_from(">H", clean, clean.index(b"Exif\0\0") + 24)[0] == turned
        assert picture(clean).content == clean

    @pytest.mark.parametrize("turned", [0, 1, 9, 65535])
    def test_an_upright_one_says_nothing(self, turned: int) -> None:
        assert b"Exif" not in picture(jpeg(2, 3, exif(turned))).content

    @pytest.mark.parametrize("whole", [jpeg(2, 3, exif(3)), png(2, 3, (b"gAMA", b"\0\0\xb1\x8f")), webp()])
    def test_one_that_ends_too_early_is_refused_wherever_it_ends(self, whole: bytes) -> None:
        for end in range(30, len(whole) - 1):
            with pytest.raises(BadPicture):
                picture_of(whole[:end])

    def test_a_damaged_one_is_refused(self) -> None:
        content = bytearray(png())
        content[45] ^= 1

        with pytest.raises(BadPicture, match="damaged"):
            picture_of(bytes(content))

    @pytest.mark.parametrize("made", [png, jpeg])
    def test_one_of_too_many_pixels_is_refused_without_being_drawn(self, made: Callable[..., bytes]) -> None:
        with pytest.raises(BadPicture, match=f"{MOST_PIXELS // 1_000_000} million"):
            picture_of(made(50_000, 50_000))
        with pytest.raises(BadPicture, match="empty"):
            picture_of(made(0, 10))

    @given(st.sampled_from([jpeg(2, 3, exif(3)), png(), webp(), b""]), st.binary(max_size=80), st.integers(0, 120))
    def test_whatever_the_bytes_are_it_is_told_or_refused(self, start: bytes, more: bytes, place: int) -> None:
        for content in (start[:place] + more, start[:place] + more + start[place:], more):
            with suppress(BadPicture):
                found = picture_of(content)
                assert found is None or 0 < found.width * found.height <= MOST_PIXELS


class TestChecked:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
            ("x.html", b"<!doctype html><script>alert(1)</script>"),
            ("x.txt", b"<html><script>alert(1)</script>"),
            ("x.jpg", b"GIF89a/*<script>alert(1)</script>*/"),
            ("x.jpg", b"<html>"),
            ("x.png", jpeg()),
            ("x.pdf.html", b"%PDF-1.7\n%%EOF"),
            ("x.pdf", b"<html>%PDF-1.7\n%%EOF"),
            ("x.pdf", b"%PDF-1.7\ncut off"),
            ("x", png()),
            ("x.exe", b"MZ"),
            ("x.png", b""),
            ("x.png", png()[:-5]),
        ],
    )
    def test_what_could_run_or_is_broken_is_refused_in_words(self, name: str, content: bytes) -> None:
        with pytest.raises(BadFile) as refused:
            checked(name, content)

        assert str(refused.value).endswith(".")

    def test_one_that_is_too_large_is_refused(self) -> None:
        with pytest.raises(BadFile, match="larger than 10 MB"):
            checked("x.pdf", b"%PDF-" + b"x" * attachments.LONGEST_FILE + b"%%EOF")

    def test_a_picture_is_cleaned(self) -> None:
        assert PLACE not in checked("IMG.JPG", jpeg(2, 3, exif(6))).content

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("../../etc/passwd.png", "passwd.png"),
            ("C:\\photos\\tank.jpg", "tank.jpg"),
            ("x" * 300 + ".png", "x" * 146 + ".png"),
            ("\u202egpj.exe", "gpj.exe"),
            ("a\0.png", "a.png"),
            ("a\r\nb.png", "a b.png"),
            (".htaccess", "htaccess"),
            ("CON", "CON"),
            ("", "file"),
            ("/", "file"),
            ("Größe 水.png", "Größe 水.png"),
        ],
    )
    def test_a_name_is_only_shown(self, name: str, shown: str) -> None:
        assert shown_name(name) == shown

    @given(st.text(st.characters(exclude_categories=()), max_size=400))
    def test_any_name_can_be_shown_and_stored(self, name: str) -> None:
        shown = shown_name(name)

        shown.encode()
        assert 1 <= len(shown) <= 150
        assert not {"/", "\\", "\0", "\n", "\u202e"} & set(shown)


@pytest.mark.django_db
class TestStored:
    @pytest.fixture
    def channel(self) -> Channel:
        return Channel.objects.get(slug="web-form")

    def send(self, channel: Channel, number: str = "1") -> receiving.Received:
        return receiving.receive(channel, RawItem(number, b"{}"), at=AT, files=[checked("tank.png", png())])

    def test_a_file_lies_under_a_name_nobody_can_guess(self, channel: Channel) -> None:
        self.send(channel)

        kept = Attachment.objects.get()
        path = Path(default_storage.path(kept.stored_as))
        assert path.read_bytes() == png()
        assert "tank" not in str(path)
        assert kept.size == len(png())

    def test_the_same_again_leaves_no_second_file(self, channel: Channel) -> None:
        first, again = self.send(channel), self.send(channel)

        assert (first.is_new, again.is_new) == (True, False)
        kept = Attachment.objects.get()
        assert self.files() == {kept.stored_as}

    def test_what_is_not_stored_leaves_no_file(self, channel: Channel) -> None:
        with (
            mock.patch.object(receiving, "receive_many", side_effect=RuntimeError),
            pytest.raises(RuntimeError),
        ):
            self.send(channel)

        assert self.files() == set()

    def test_on_a_full_disk_nothing_is_left_behind(self) -> None:
        save, calls = default_storage.save, []

        def full_at_the_second(name: str, content: Any) -> str:
            calls.append(name)
            if len(calls) == 2:
                raise OSError(28, "No space left on device")
            return save(name, content)

        with (
            mock.patch.object(attachments.default_storage, "save", full_at_the_second),
            pytest.raises(attachments.NoRoom, match="still there"),
        ):
            attachments.stored([File("a.png", "image/png", png())] * 2)

        assert self.files() == set()

    def test_it_leaves_as_a_download_that_nothing_opens(self, channel: Channel) -> None:
        self.send(channel)
        kept = Attachment.objects.get()
        response = attachments.download(kept)

        assert b"".join(response) == png()
        assert response["Content-Disposition"] == 'attachment; filename="tank.png"'
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert response["Content-Type"] == "image/png"
        kept.content_type = "text/html"
        assert attachments.download(kept)["Content-Type"] == "application/octet-stream"

    def test_files_that_no_row_knows_are_swept_up_when_they_are_old(self, channel: Channel) -> None:
        self.send(channel)
        kept = Attachment.objects.get().stored_as
        orphans = [default_storage.save(f"attachments/{hour:02x}/orphan", ContentFile(b"x")) for hour in (11, 13)]
        for name in [kept, *orphans]:
            os.utime(default_storage.path(name), (AT.timestamp(), AT.timestamp()))

        attachments.sweep(at=AT + timedelta(hours=23))  # it is eleven, and they are not a day old
        assert self.files() == {kept, *orphans}
        assert attachments.sweep(at=AT + timedelta(hours=25)) == 1  # it is one o'clock, and only that hour's folders
        assert self.files() == {kept, orphans[0]}
        for hour in range(24, 72):
            attachments.sweep(at=AT + timedelta(hours=hour))
        assert self.files() == {kept}

    def files(self) -> set[str]:
        root = Path(default_storage.path("attachments"))
        return {f"attachments/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file()}

    @pytest.fixture(autouse=True)
    def _own_folder(self, tmp_path: Path, settings: Any) -> None:
        settings.MEDIA_ROOT = tmp_path


@pytest.mark.django_db
def test_a_quarantined_thing_is_forgotten_with_its_files_after_a_month(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    channel = Channel.objects.get(slug="web-form")
    receiving.receive(channel, RawItem("1", b"{}"), at=AT, quarantine="honeypot", files=[checked("a.png", png())])
    receiving.receive(channel, RawItem("2", b"{}"), at=AT)

    receiving.forget_expired(at=AT + timedelta(days=29))
    assert Submission.objects.count() == 2
    receiving.forget_expired(at=AT + timedelta(days=31))

    assert list(Submission.objects.values_list("external_id", flat=True)) == ["2"]
    assert not Attachment.objects.exists()
