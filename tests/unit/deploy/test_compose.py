"""The deploy files, read without an engine: their shape, and what they promise.

No published schema of the compose format is at hand, so the shape is a schema of the fields that are used here; a field
it does not know is a failure. What the files say is then held against the program: every command is parsed by its own
parser, every file mounted exists, every metric named is in the catalogue.
"""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from services.cli import COMMANDS, _common
from services.runtime.config import load
from services.runtime.metrics import CATALOGUE

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("strikewire:"))
THEIRS = sorted(set(SERVICES) - set(OURS))

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
DURATION = {"type": "string", "pattern": r"^\d+(ms|s|m)$"}
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image", "user", "restart", "cap_drop", "security_opt", "logging", "healthcheck"],
    "properties": {
        "image": {"type": "string", "pattern": r"^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-alpine)?$"},
        "build": {
            "type": "object", "additionalProperties": False, "properties": {"context": TEXT, "dockerfile": TEXT},
        },
        "user": {"type": "string", "pattern": r"^[1-9]\d*:[1-9]\d*$"},
        "read_only": {"type": "boolean"},
        "init": {"type": "boolean"},
        "cap_drop": {"const": ["ALL"]},
        "security_opt": {"const": ["no-new-privileges:true"]},
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "stop_grace_period": DURATION,
        "tmpfs": TEXTS,
        "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^(\./)?[\w./-]+:/[\w./-]+(:ro)?$"}},
        "environment": {"type": "object", "additionalProperties": TEXT},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
        "command": TEXTS,
        "entrypoint": TEXTS,
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {
                    "condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}
                },
            },
        },
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "test": {"type": "array", "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}], "items": TEXT},
                "interval": DURATION, "timeout": DURATION, "start_period": DURATION,
                "retries": {"type": "integer", "minimum": 1}, "disable": {"const": True},
            },
        },
        "deploy": {
            "type": "object", "additionalProperties": False,
            "properties": {"replicas": {"type": "integer", "minimum": 1}},
        },
        "ulimits": {
            "type": "object",
            "additionalProperties": {
                "type": "object", "required": ["soft", "hard"], "additionalProperties": {"type": "integer"},
            },
        },
        "configs": {
            "type": "array",
            "items": {
                "type": "object", "required": ["source", "target"], "additionalProperties": TEXT,
            },
        },
        "logging": {
            "type": "object",
            "additionalProperties": False,
            "required": ["driver", "options"],
            "properties": {
                "driver": {"const": "json-file"}, "options": {"type": "object", "additionalProperties": TEXT},
            },
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_the_shape_and_the_care_that_is_expected(name: str):
    """Pinned, non-root, without capabilities, on loopback, with a health check and logs that end."""
    service = dict(SERVICES[name])
    if name in OURS:
        service.setdefault("healthcheck", {})  # the image brings it
    jsonschema.validate(service, SERVICE)


def test_the_rest_of_the_file_is_known():
    assert set(COMPOSE) == {"name", "services", "volumes", "configs", "x-ours"}
    for config in COMPOSE["configs"].values():
        assert set(config) == {"content"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_a_service_refers_to_exists(name: str):
    service = SERVICES[name]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("./"):
            assert (ROOT / source).exists(), f"{source} is not there"
        else:
            assert source in COMPOSE["volumes"]
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES
        if how["condition"] == "service_healthy":
            assert SERVICES[other].get("healthcheck", {}).get("disable") is None
    for config in service.get("configs", []):
        assert config["source"] in COMPOSE["configs"]
    if "build" in service:
        assert (ROOT / service["build"]["dockerfile"]).exists()


def test_every_port_is_published_once():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == len(set(ports)) > 0


@pytest.mark.parametrize("name", OURS)
def test_our_file_system_is_read_only_and_our_commands_are_commands(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    command = service.get("command") or []
    if "entrypoint" in service:
        shell, flag, line = service["entrypoint"]
        assert (shell, flag) == ("sh", "-c")
        default = re.fullmatch(r"\$\{GATEWAY_ARGUMENTS-(.*)\}", service["environment"]["GATEWAY_ARGUMENTS"])
        assert default is not None
        command = shlex.split(line.removeprefix("exec strikewire ").replace("$$GATEWAY_ARGUMENTS", default[1]))
    modules = {known: module for known, module, _ in COMMANDS}
    module = importlib.import_module(f"services.commands.{modules[command[0]]}")
    parser = argparse.ArgumentParser(parents=[_common()], exit_on_error=False, allow_abbrev=False)
    module.add_arguments(parser)
    options = parser.parse_args(command[1:])
    mounted = dict(volume.split(":")[1::-1] for volume in service["volumes"])
    assert load(ROOT / mounted[str(options.config)]).kafka.brokers == "kafka:19092"


def test_addresses_in_the_configuration_are_services():
    config = load(ROOT / "deploy" / "strikewire.toml")
    hosts = {
        config.kafka.brokers.split(":")[0],
        *(re.split("[/:]+", url)[1] for url in (config.warehouse.url, config.redis.url)),
    }
    assert hosts <= set(SERVICES)
    assert config.warehouse.user in (ROOT / "deploy/clickhouse/users.d/strikewire.xml").read_text()


def test_no_password_stands_in_a_file_of_ours_or_in_an_argument():
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|KEY", key):
                assert value.startswith("${"), f"{name}: {key} does not come from outside"
        for part in (*service.get("command", []), *service.get("entrypoint", [])):
            assert not re.search(r"(?<!\$)\$\{", part), f"{name}: {part} would show what it holds in a process list"


@pytest.mark.parametrize("path", sorted((ROOT / "deploy" / "clickhouse").rglob("*.xml")), ids=lambda path: path.name)
def test_clickhouses_files_are_xml(path: Path):
    assert ET.parse(path).getroot().tag == "clickhouse"


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (ROOT / "deploy" / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_image_is_pinned_multi_stage_and_not_root():
    found = instructions()
    bases = [rest for word, rest in found if word == "FROM"]
    assert len(bases) == 2
    assert all(re.match(r"python:3\.\d+\.\d+-slim-bookworm", base) for base in bases)
    last = found[max(at for at, (word, _) in enumerate(found) if word == "FROM") :]
    assert ("USER", "10001:10001") in last
    assert {"HEALTHCHECK", "ENTRYPOINT"} <= {word for word, _ in last}
    assert any("--require-hashes" in rest for word, rest in found if word == "RUN")


def test_what_the_image_copies_is_there_and_let_through():
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source.split('/')[0]}" in ignored, f"{source} is kept out by .dockerignore"


def test_alerts_speak_of_metrics_that_exist():
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        assert {"summary", "advice"} == set(rule["annotations"])
        for name in re.findall(r"strikewire_\w+", rule["expr"]):
            assert re.sub("_(bucket|sum|count)$", "", name) in CATALOGUE, f"{rule['alert']} asks for {name}"


def test_prometheus_scrapes_every_service_that_has_metrics():
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    with_metrics = {
        name
        for name in OURS
        if "9100" in " ".join([*SERVICES[name].get("command", []), *SERVICES[name].get("entrypoint", [])])
    }
    assert set(job["dns_sd_configs"][0]["names"]) == with_metrics
    assert job["authorization"]["credentials_file"] == SERVICES["prometheus"]["configs"][0]["target"]
