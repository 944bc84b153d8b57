"""compose: what the specification allows, and what a careful operator would ask of each service."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest

from services.settings import Settings
from tests.schemas import faults
from tests.unit.rendered import example, read


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    (document,) = read("compose")[PurePosixPath("compose.yaml")]
    assert isinstance(document, dict)
    return document


def test_the_specification_allows_it(project: dict[str, Any]) -> None:
    assert faults("compose-spec", project) == []
    assert faults("compose-spec", project | {"servces": {}})


def test_every_service_may_do_little(project: dict[str, Any]) -> None:
    for name, service in project["services"].items():
        assert service["user"].split(":")[0] not in ("0", "root"), name
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
        assert not service.get("privileged")


def test_one_port_is_published_and_servers_reach_nothing_outside(project: dict[str, Any]) -> None:
    services = project["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["router"]
    assert project["networks"]["data"]["internal"] is True
    for cluster in example().model.clusters:
        assert services[cluster.name]["networks"] == ["data"]


def test_secrets_are_files_and_each_service_gets_its_own(project: dict[str, Any]) -> None:
    services, declared = project["services"], project["secrets"]
    used = {secret for service in services.values() for secret in service["secrets"]}
    assert used == set(declared)
    assert "DOCSHARD_WORKER_PASSWORD" not in services["router"]["secrets"]
    assert "DOCSHARD_APP_PASSWORD" not in services["worker"]["secrets"]
    for service in services.values():
        assert not [name for name in service.get("environment", {}) if name.endswith("_PASSWORD")]


def test_what_listens_is_asked_whether_it_serves(project: dict[str, Any]) -> None:
    services = project["services"]
    for name in ("router", "worker", *(cluster.name for cluster in example().model.clusters)):
        assert services[name]["healthcheck"]["test"][0] == "CMD"


def test_prometheus_asks_containers_where_they_listen(project: dict[str, Any]) -> None:
    (told,) = read("compose")[PurePosixPath("prometheus/prometheus.yml")]
    asked = {job["job_name"]: job["dns_sd_configs"][0] for job in told["scrape_configs"]}
    listening = {"router": "DOCSHARD_LISTEN_PORT", "worker": "DOCSHARD_METRICS_PORT"}
    for name, variable in listening.items():
        assert asked[name]["names"] == [name]
        assert str(asked[name]["port"]) == project["services"][name]["environment"][variable]
    assert set(asked) == set(listening)


def test_what_others_wait_for_is_there(project: dict[str, Any]) -> None:
    services = project["services"]
    for service in services.values():
        for other, wanted in service.get("depends_on", {}).items():
            healthy = wanted["condition"] == "service_healthy"
            assert "healthcheck" in services[other] or not healthy


def test_a_router_can_start_with_what_it_is_told(
    project: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """In production, from variables and files alone."""
    service = project["services"]["router"]
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, value.replace("$$", "$"))
    for number, name in enumerate(service["secrets"]):
        (tmp_path / name).write_text(f"f3a9c1e7b5d2{number}e8")
    monkeypatch.setenv("DOCSHARD_SECRETS_DIR", str(tmp_path))
    settings = Settings()
    assert [node.host for node in settings.global_nodes] == ["global"]
    assert settings.tls().mode == "verify-full"


def test_no_value_of_the_file_becomes_a_variable_of_compose() -> None:
    files = read("compose", example("eu-central-1:000", "${HOME}$(id):000"))
    text = json.dumps(files[PurePosixPath("compose.yaml")])
    assert "$${HOME}$$(id)" in text
