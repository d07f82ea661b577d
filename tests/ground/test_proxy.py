"""What the proxy passes on, what it refuses, and what it says itself, tried on a real nginx."""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from feedback_portal.local.paths import PROJECT

# An ordinary account's path leaves out where Debian puts it.
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

MEGABYTE = 1024 * 1024


class Echo(BaseHTTPRequestHandler):
    """A web process that says what reached it."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = json.dumps({"headers": headers, "bytes": len(body), "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        pass


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Proxy:
    """The configuration of the image on other ports and folders; nothing else of it is changed."""

    def __init__(
        self, folder: Path, *, web: int, environment: dict[str, str], certificates: Path | None = None
    ) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        nginx = folder / "nginx"
        (nginx / "certificates").mkdir(parents=True)
        script = [
            str(PROJECT / "deploy" / "choose-listener.sh"),
            str(nginx),
            str(certificates or nginx / "certificates"),
        ]
        subprocess.run(script, env={"PATH": os.environ["PATH"], **environment}, check=True)
        (nginx / "mime.types").write_text("types { text/css css; }")
        (folder / "static").mkdir()
        configuration = (PROJECT / "deploy" / "nginx.conf").read_text()
        changes = {
            "user nginx;": "daemon off;",
            "/var/run/nginx.pid": str(folder / "pid"),
            "/etc/nginx/": f"{nginx}/",
            "127.0.0.1:8081": f"127.0.0.1:{free_port()}",
            "web:8000": f"127.0.0.1:{web}",
            "events:8000": f"127.0.0.1:{web}",
            "root /srv/portal;": f"root {folder};",
            "http {": "http {"
            + "".join(
                f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            ),
        }
        for old, new in changes.items():
            assert old in configuration
            configuration = configuration.replace(old, new)
        (nginx / "nginx.conf").write_text(configuration)
        for name in ("listen.conf", "redirect.conf"):
            written = (nginx / name).read_text()
            written = written.replace("8080", f"127.0.0.1:{self.port}").replace("8443", f"127.0.0.1:{self.tls_port}")
            (nginx / name).write_text(written.replace("http2 on;\n", ""))  # nginx before 1.25 spells it differently
        command = [str(NGINX), "-c", str(nginx / "nginx.conf"), "-e", str(folder / "error.log")]
        self.process = subprocess.Popen(command)
        end = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", self.port)):
            assert self.process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)

    def ask(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, chunked: bool = False
    ) -> tuple[int, dict[str, str], str]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            client.request(method, path, body, headers or {}, encode_chunked=chunked)
            answer = client.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        finally:
            client.close()


@pytest.fixture(scope="module")
def web() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="proxy-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def proxy(folder: Path, web: int) -> Iterator[Proxy]:
    started = Proxy(folder / "plain", web=web, environment={"PORTAL_BASE_URL": "https://feedback.example.com"})
    yield started
    started.process.terminate()
    started.process.wait()


def test_what_a_client_claims_about_itself_is_overwritten(proxy: Proxy) -> None:
    claims = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Real-IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Request-ID": "chosen-by-the-client",
        "Host": "feedback.example.com",
    }
    _, _, body = proxy.ask("GET", "/triage/", headers=claims)
    passed_on = json.loads(body)["headers"]
    assert passed_on["x-forwarded-for"] == "127.0.0.1"
    assert passed_on["x-forwarded-proto"] == "https"
    assert passed_on["host"] == "feedback.example.com"
    assert re.fullmatch(r"[0-9a-f]{32}", passed_on["x-request-id"])
    assert not {"x-forwarded-host", "x-real-ip", "forwarded"} & set(passed_on)


def test_a_chunked_request_goes_on_with_its_length(proxy: Proxy) -> None:
    chunks = iter([b"a" * 1000, b"b" * 2000])
    _, _, body = proxy.ask("POST", "/hooks/key/", chunks, headers={"Transfer-Encoding": "chunked"}, chunked=True)
    seen = json.loads(body)
    assert seen["bytes"] == 3000
    assert seen["headers"]["content-length"] == "3000"
    assert "transfer-encoding" not in seen["headers"]


@pytest.mark.parametrize(
    ("path", "megabytes"),
    [
        ("/hooks/key/", 15),
        ("/f/after-repair/", 25),
        ("/api/v1/feedback/", 25),
        ("/imports/", 100),
        ("/api/v1/imports/", 100),
    ],
)
def test_a_request_is_taken_up_to_its_limit_and_not_beyond(proxy: Proxy, path: str, megabytes: int) -> None:
    status, _, body = proxy.ask("POST", path, b"x" * (megabytes * MEGABYTE))
    assert (status, json.loads(body)["bytes"]) == (200, megabytes * MEGABYTE)
    # Refused by the announced length, before anything is sent.
    status, headers, body = proxy.ask("POST", path, headers={"Content-Length": str(megabytes * MEGABYTE + 1)})
    assert status == 413
    if path.startswith(("/hooks/", "/api/")):
        assert headers["content-type"].startswith("application/problem+json")
        assert json.loads(body)["status"] == 413
    else:
        assert headers["content-type"].startswith("text/plain")
        assert "Send a smaller file" in body


def test_a_chunked_request_beyond_the_limit_is_refused_too(proxy: Proxy) -> None:
    chunks = iter([b"x" * MEGABYTE] * 15 + [b"y"])
    status, _, _ = proxy.ask("POST", "/hooks/key/", chunks, headers={"Transfer-Encoding": "chunked"}, chunked=True)
    assert status == 413


def test_static_files_are_served_for_ever_only_under_the_name_of_their_content(proxy: Proxy) -> None:
    for name in ("base.css", "base.0123456789ab.css"):
        (proxy.folder / "static" / name).write_text("body {}")
    status, headers, body = proxy.ask("GET", "/static/base.0123456789ab.css")
    assert (status, body) == (200, "body {}")
    assert headers["content-type"].startswith("text/css")
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert proxy.ask("GET", "/static/base.css")[1]["cache-control"] == "public, max-age=300"
    # What leads out of the folder is not a static file; the portal is asked for it.
    assert json.loads(proxy.ask("GET", "/static/../nginx/nginx.conf")[2])["path"] == "/static/../nginx/nginx.conf"


def test_a_resting_portal_is_announced_in_words(folder: Path) -> None:
    proxy = Proxy(folder / "resting", web=free_port(), environment={"PORTAL_BASE_URL": "http://localhost:8000"})
    try:
        status, headers, body = proxy.ask("GET", "/triage/")
        assert (status, headers["retry-after"]) == (503, "10")
        assert body.startswith("The portal is being restarted.")
        status, headers, body = proxy.ask("GET", "/api/v1/tickets/")
        assert (status, headers["retry-after"], json.loads(body)["status"]) == (503, "10", 503)
    finally:
        proxy.process.terminate()
        proxy.process.wait()


def test_the_address_from_a_named_front_proxy_is_believed(folder: Path, web: int) -> None:
    environment = {"PORTAL_BASE_URL": "https://feedback.example.com", "PORTAL_FRONT_PROXY": "127.0.0.0/8"}
    proxy = Proxy(folder / "behind", web=web, environment=environment)
    try:
        _, _, body = proxy.ask("GET", "/", headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9"})
        assert json.loads(body)["headers"]["x-forwarded-for"] == "203.0.113.9"
    finally:
        proxy.process.terminate()
        proxy.process.wait()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_with_a_certificate_the_proxy_speaks_tls_and_sends_http_there(folder: Path, web: int) -> None:
    certificates = folder / "certificates"
    certificates.mkdir()
    files = ["-keyout", str(certificates / "privkey.pem"), "-out", str(certificates / "fullchain.pem")]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
        *files,
    ]
    subprocess.run(command, check=True, capture_output=True)
    environment = {"PORTAL_BASE_URL": "https://feedback.example.com"}
    proxy = Proxy(folder / "tls", web=web, environment=environment, certificates=certificates)
    try:
        status, headers, _ = proxy.ask("GET", "/t/secret/?x=1")
        assert (status, headers["location"]) == (301, "https://feedback.example.com/t/secret/?x=1")
        context = ssl.create_default_context(cafile=str(certificates / "fullchain.pem"))
        context.check_hostname = False
        client = http.client.HTTPSConnection("127.0.0.1", proxy.tls_port, context=context, timeout=20)
        client.request("GET", "/")
        assert json.loads(client.getresponse().read())["headers"]["x-forwarded-proto"] == "https"
        client.close()
    finally:
        proxy.process.terminate()
        proxy.process.wait()
