"""Customers' files in a bucket: put, checked, given out and swept through the same functions as on a disk."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured

from feedback_portal.settings import media
from intake import attachments, receiving
from intake.connectors.base import File, RawItem
from intake.models import Attachment, Channel
from tests.intake.pictures import png

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
LISTING = '<?xml version="1.0"?><ListBucketResult>{}<IsTruncated>false</IsTruncated></ListBucketResult>'


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as a storage needs: objects by name, and listings of folders."""

    objects: dict[str, bytes]
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "aws-chunked" or "x-amz-decoded-content-length" in self.headers:
            # Each chunk stands between its length and the next one's.
            size, _, rest = body.partition(b"\r\n")
            body = rest[: int(size.split(b";")[0], 16)]
        self.objects[self.key] = body
        self.answer(200)

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "prefix" in query or "list-type" in query:
            self.answer(200, self.listing(query["prefix"][0]).encode())
        elif self.key in self.objects:
            self.answer(200, self.objects[self.key])
        else:
            self.answer(404)

    def do_HEAD(self) -> None:
        found = self.objects.get(self.key)
        self.answer(404 if found is None else 200, found or b"", send=False)

    def do_DELETE(self) -> None:
        self.objects.pop(self.key, None)
        self.answer(204)

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/feedback/")

    def listing(self, prefix: str) -> str:
        below = [name.removeprefix(prefix) for name in self.objects if name.startswith(prefix)]
        folders = sorted({name.split("/")[0] for name in below if "/" in name})
        files = sorted(name for name in below if "/" not in name)
        parts = [
            f"<Contents><Key>{prefix}{name}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            "</Contents>"
            for name in files
        ]
        parts += [f"<CommonPrefixes><Prefix>{prefix}{name}/</Prefix></CommonPrefixes>" for name in folders]
        return LISTING.format("".join(parts))

    def answer(self, status: int, body: bytes = b"", *, send: bool = True) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("ETag", '"1"')
        self.end_headers()
        if send:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def objects(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    found: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Bucket,), {"objects": found}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"s3://feedback/portal?endpoint_url=http://127.0.0.1:{server.server_port}&region_name=here&addressing_style=path"
    settings.STORAGES = {**settings.STORAGES, "default": media(url)}
    yield found
    server.shutdown()
    server.server_close()


@pytest.mark.django_db
def test_a_file_is_kept_given_out_and_deleted(objects: dict[str, bytes]) -> None:
    channel = Channel.objects.get(slug="web-form")
    receiving.receive(channel, RawItem("1", b"{}"), at=AT, files=[attachments.checked("tank.png", png())])

    kept = Attachment.objects.get()
    assert objects == {f"portal/{kept.stored_as}": png()}
    assert b"".join(attachments.download(kept)) == png()
    attachments.discard([kept])
    assert objects == {}


@pytest.mark.django_db
def test_files_that_no_row_knows_are_swept(objects: dict[str, bytes]) -> None:
    [row] = attachments.stored([File("a.png", "image/png", png())])
    hour = int(row.stored_as.split("/")[1], 16) % 24
    assert attachments.sweep(at=(AT + timedelta(days=300)).replace(hour=hour)) == 1
    assert objects == {}


def test_an_address_that_is_no_bucket_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="must look like s3://"):
        media("https://example.com/bucket")
