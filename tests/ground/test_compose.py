"""The production shape: the compose file names only what exists, and every stage of the pipeline has its worker."""

import importlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from feedback_portal.celery import PIPELINE, app
from feedback_portal.local.paths import PROJECT

FILE = PROJECT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "feedback-portal-app"}
FILLED_IN = {
    "POSTGRES_PASSWORD": "abc123",
    "PORTAL_SECRET_KEY": "k" * 50,
    "PORTAL_BASE_URL": "https://feedback.example.com",
    "PORTAL_EMAIL_URL": "smtp://mail.example.com",
    "PORTAL_EMAIL_FROM": "feedback@example.com",
}


def words(name: str) -> list[str]:
    command = OURS[name]["command"]
    return [str(word) for word in command] if isinstance(command, list) else command.split()


def by_program(program: str) -> list[list[str]]:
    return [words(name) for name in OURS if words(name)[0] == program]


def after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_the_processes_of_the_production_shape_are_all_there() -> None:
    assert set(SERVICES) == {
        *("proxy", "migrate", "web", "events", "relay", "beat", "db", "broker"),
        *(f"worker-{stage.queue}" for stage in PIPELINE),
    }


def test_every_command_and_module_that_is_named_exists() -> None:
    for line in by_program("python"):
        assert line[1] == "manage.py"
        assert line[2] in get_commands()
    for line in by_program("celery"):
        assert importlib.import_module(after(line, "-A")).celery.app is app
    for line in by_program("gunicorn"):
        module, _, attribute = line[-1].partition(":")
        assert callable(getattr(importlib.import_module(module), attribute))


def test_every_queue_of_the_pipeline_has_a_worker() -> None:
    served = [queue for line in by_program("celery") if "worker" in line for queue in after(line, "-Q").split(",")]
    assert sorted(served) == sorted({stage.queue for stage in PIPELINE})


def test_the_settings_read_every_variable_that_is_set() -> None:
    read = set(re.findall(r"[\"']([A-Z][A-Z_]+)[\"']", (PROJECT / "feedback_portal" / "settings.py").read_text()))
    for name, service in OURS.items():
        assert set(service["environment"]) <= read, name
    script = (PROJECT / "deploy" / "choose-listener.sh").read_text()
    for variable in SERVICES["proxy"]["environment"]:
        assert f"${{{variable}" in script


def test_nothing_that_must_be_secret_or_known_has_a_default() -> None:
    for name in FILLED_IN:
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", FILE.read_text())
        assert uses
        for use in uses:
            assert re.fullmatch(r":\?[A-Z].+\.", use), f"{name}{use}"


def test_the_example_environment_names_what_the_file_asks_for() -> None:
    example = (PROJECT / "deploy" / "env.example").read_text()
    named = set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))
    assert named == set(re.findall(r"\$\{([A-Z_]+)", FILE.read_text()))
    assert set(re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE)) >= set(FILLED_IN)


def test_every_process_comes_back_and_one_that_is_asked_answers() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name
        if name not in {"migrate", "relay", "beat"}:
            assert service["healthcheck"]["test"], name


def test_nobody_starts_before_the_database_is_migrated() -> None:
    for name, service in OURS.items():
        before = {other: rule["condition"] for other, rule in service["depends_on"].items()}
        assert before["db"] == "service_healthy"
        assert name == "migrate" or before["migrate"] == "service_completed_successfully"


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert all(SERVICES[name]["networks"] == ["data"] for name in ("db", "broker"))


def test_the_broker_never_drops_a_key_and_the_database_sorts_as_the_embedded_one() -> None:
    assert after(SERVICES["broker"]["command"], "--maxmemory-policy") == "noeviction"
    assert after(SERVICES["broker"]["command"], "--appendonly") == "yes"
    assert "--locale-provider=builtin --locale=C.UTF-8" in SERVICES["db"]["environment"]["POSTGRES_INITDB_ARGS"]


def test_volumes_are_declared_and_mounted_where_the_programs_write() -> None:
    mounted = [volume.rsplit("}", 1)[-1] for service in SERVICES.values() for volume in service.get("volumes", [])]
    named = {volume.partition(":")[0] for volume in mounted if not volume.startswith(":")}
    assert named | {"certificates"} == set(COMPOSE["volumes"])
    assert "database:/var/lib/postgresql" in mounted  # PostgreSQL 18 keeps a folder for each major version below it
    image = (PROJECT / "Dockerfile").read_text()
    for folder in ("media", "state"):
        assert f"{folder}:/srv/portal/{folder}" in mounted
        assert f"PORTAL_{folder.upper()}_DIR=/srv/portal/{folder}" in image


def test_the_image_holds_every_folder_that_is_ours_and_runs_as_an_ordinary_account() -> None:
    image = (PROJECT / "Dockerfile").read_text()
    lines = re.findall(r"^COPY ((?:(?!--from)\S+ )+)\S+$", image, re.MULTILINE)
    copied = {name for line in lines for name in line.split() if not name.startswith("--")}
    packages = {path.parent.name for path in PROJECT.glob("*/apps.py")} | {"feedback_portal", "templates", "manage.py"}
    assert packages <= copied
    assert re.search(r"^USER portal$.*^FROM nginx", image, re.MULTILINE | re.DOTALL)
    assert "--require-hashes" in image
    let_in = set(re.findall(r"^!(.+)$", (PROJECT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied == let_in
    assert os.access(PROJECT / "deploy" / "choose-listener.sh", os.X_OK)


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
@pytest.mark.parametrize("missing", [None, *FILLED_IN])
def test_docker_compose_reads_the_file_and_refuses_a_missing_value(missing: str | None, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    environment = {name: value for name, value in FILLED_IN.items() if name != missing} | {"PATH": os.environ["PATH"]}
    command = ["docker-compose", "--env-file", str(tmp_path / "empty"), "-f", str(FILE), "config", "-q"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (missing is None), done.stderr
    assert missing is None or f"Set {missing} to" in done.stderr
