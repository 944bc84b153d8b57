"""kubernetes: held to the schemas, and to what kustomize and a careful operator would ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from deploy.fleet.pgbouncer import PoolerRefused
from deploy.rendering.targets import TARGETS
from tests.schemas import faults
from tests.unit.rendered import example, read

OVERLAYS = ("production", "staging")
Object = dict[str, Any]


@pytest.fixture(scope="module")
def files() -> dict[PurePosixPath, list[Any]]:
    return read("kubernetes")


@pytest.fixture(scope="module")
def base(files: dict[PurePosixPath, list[Any]]) -> list[Object]:
    return [
        one
        for path, found in files.items()
        for one in found
        if path.parts[0] == "base" and one["kind"] != "Kustomization"
    ]


_SCHEMAS = {"postgresql.cnpg.io": "cloudnative-pg", "monitoring.coreos.com": "prometheus-operator"}


def against(one: Object) -> list[str]:
    schema = _SCHEMAS.get(one["apiVersion"].partition("/")[0], "kubernetes-1.34")
    return faults(schema, one, one["kind"])


def of(base: list[Object], kind: str) -> list[Object]:
    return [one for one in base if one["kind"] == kind]


def pods(base: list[Object]) -> Iterator[tuple[Object, Object]]:
    """Every pod of ours: its metadata and its spec."""
    for one in base:
        spec = one.get("spec", {})
        if one["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if one["kind"] in ("CronJob", "Deployment", "Job"):
            yield spec["template"]["metadata"], spec["template"]["spec"]


def containers(pod: Object) -> list[Object]:
    return [*pod["containers"], *pod.get("initContainers", [])]


def test_every_object_is_one_of_its_kind(base: list[Object]) -> None:
    assert [fault for one in base for fault in against(one)] == []


@pytest.mark.parametrize("kind", ["Cluster", "CronJob", "Deployment", "NetworkPolicy", "Pooler"])
def test_a_misspelt_field_would_be_seen(base: list[Object], kind: str) -> None:
    one = of(base, kind)[0]
    assert against({**one, "spec": {**one["spec"], "instancez": 1}})


def test_no_object_is_there_twice(base: list[Object]) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in base]
    assert len(names) == len(set(names))


def test_the_base_lists_every_file(files: dict[PurePosixPath, list[Any]]) -> None:
    (told,) = files[PurePosixPath("base/kustomization.yaml")]
    assert faults("kustomization", told) == []
    there = {path.name for path in files if path.parts[0] == "base"} - {"kustomization.yaml"}
    assert set(told["resources"]) == there
    (generated,) = told["configMapGenerator"]
    assert {PurePosixPath("kubernetes/base", name) for name in generated["envs"]} <= set(
        TARGETS["kubernetes"](example())
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_patch_hits_what_is_there(
    files: dict[PurePosixPath, list[Any]], base: list[Object], overlay: str
) -> None:
    """As kustomize would: one target, a path that exists, and what comes out is valid."""
    (told,) = files[PurePosixPath("overlays", overlay, "kustomization.yaml")]
    assert faults("kustomization", told) == []
    assert told["resources"] == ["../../base"]
    assert told["patches"]
    for patch in told["patches"]:
        kind, name = patch["target"]["kind"], patch["target"]["name"]
        (target,) = (one for one in of(base, kind) if one["metadata"]["name"] == name)
        assert against(patched(target, yaml.safe_load(patch["patch"]))) == []


def patched(target: Object, operations: list[Object]) -> Object:
    """A copy with each replacement made (RFC 6902: the place must exist)."""
    copy: Object = yaml.safe_load(yaml.safe_dump(target))
    for operation in operations:
        assert operation["op"] == "replace"
        *way, last = operation["path"].lstrip("/").split("/")
        place: Any = copy
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        assert last in place
        place[last] = operation["value"]
    return copy


def test_pods_may_do_little(base: list[Object]) -> None:
    for _, pod in pods(base):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in containers(pod):
            assert one["securityContext"]["readOnlyRootFilesystem"] is True
            assert one["securityContext"]["allowPrivilegeEscalation"] is False
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert one["resources"]["limits"]["memory"]
            assert one["resources"]["requests"]["cpu"]


def test_accounts_are_there_and_have_no_token(base: list[Object]) -> None:
    accounts = {one["metadata"]["name"]: one for one in of(base, "ServiceAccount")}
    assert {pod["serviceAccountName"] for _, pod in pods(base)} == set(accounts)
    assert not any(one["automountServiceAccountToken"] for one in accounts.values())


def test_secrets_are_referred_to_and_never_written(base: list[Object]) -> None:
    assert not of(base, "Secret")
    (router,) = (pod for metadata, pod in pods(base) if "router" in str(metadata))
    (given,) = (one for one in router["volumes"] if one["name"] == "secrets")
    keys = {item["key"] for item in given["secret"]["items"]}
    assert "DOCSHARD_APP_PASSWORD" in keys
    assert "DOCSHARD_ADMIN_DB_PASSWORD" not in keys
    for _, pod in pods(base):
        for one in containers(pod):
            plain = {entry["name"] for entry in one["env"] if "value" in entry}
            assert not [name for name in plain if "PASSWORD" in name or "KEY" in name]


def test_deployments_are_found_by_their_services_and_budgets(base: list[Object]) -> None:
    wearing = [metadata["labels"].items() for metadata, _ in pods(base)]
    for one in [*of(base, "Deployment"), *of(base, "PodDisruptionBudget")]:
        wanted = one["spec"]["selector"]["matchLabels"].items()
        assert any(wanted <= labels for labels in wearing)
    for one in of(base, "Service"):
        assert any(one["spec"]["selector"].items() <= labels for labels in wearing)


def test_the_router_is_never_less_than_it_should_be(base: list[Object]) -> None:
    (router,) = (one for one in of(base, "Deployment") if one["metadata"]["name"] == "router")
    assert router["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (container,) = router["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_nobody_speaks_to_anybody_unless_told(base: list[Object]) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of(base, "NetworkPolicy")}
    assert policies["deny-all"] == {"podSelector": {}, "policyTypes": ["Egress", "Ingress"]}
    for name, open_to, number in (("router", ["ingress-nginx"], 8080), ("worker", [], 9108)):
        (rule,) = policies[f"{name}-in"]["ingress"]
        assert [port["port"] for port in rule["ports"]] == [number]
        allowed = [one["namespaceSelector"]["matchLabels"] for one in rule["from"]]
        assert [*allowed] == [
            {"kubernetes.io/metadata.name": one} for one in (*open_to, "monitoring")
        ]


def test_figures_are_asked_where_they_are_told(
    files: dict[PurePosixPath, list[Any]], base: list[Object]
) -> None:
    """A port that the pods have by that name, and jobs that the alerts know."""
    (told,) = files[PurePosixPath("monitoring/kustomization.yaml")]
    assert faults("kustomization", told) == []
    objects = [
        one for name in told["resources"] for one in files[PurePosixPath("monitoring", name)]
    ]
    assert [fault for one in objects for fault in against(one)] == []
    monitors, rules = of(objects, "PodMonitor"), of(objects, "PrometheusRule")
    assert against({**monitors[0], "spec": {**monitors[0]["spec"], "port": "http"}})
    asked = {}
    for one in monitors:
        wanted = one["spec"]["selector"]["matchLabels"].items()
        ((metadata, pod),) = (it for it in pods(base) if wanted <= it[0]["labels"].items())
        (endpoint,) = one["spec"]["podMetricsEndpoints"]
        assert endpoint["port"] in {port["name"] for port in pod["containers"][0]["ports"]}
        asked[metadata["labels"][one["spec"]["jobLabel"]]] = endpoint["path"]
    assert asked == {"router": "/metrics", "worker": "/metrics"}
    jobs = set(re.findall(r'job="(\w+)"', str(rules)))
    assert jobs <= set(asked)


def test_a_stuck_worker_is_started_anew(base: list[Object]) -> None:
    (worker,) = (one for one in of(base, "Deployment") if one["metadata"]["name"] == "worker")
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/metrics", "port": "metrics"}
    told = {one["name"]: one.get("value") for one in container["env"]}
    assert told["DOCSHARD_METRICS_PORT"] == str(container["ports"][0]["containerPort"])


def test_every_cluster_has_its_servers_and_poolers(base: list[Object]) -> None:
    clusters = {one["metadata"]["name"]: one["spec"] for one in of(base, "Cluster")}
    poolers = {one["metadata"]["name"]: one["spec"] for one in of(base, "Pooler")}
    for cluster in example().model.clusters:
        assert clusters[cluster.name]["instances"] == len(cluster.nodes)
        for kind in ("rw", "ro"):
            pooler = poolers[f"{cluster.name}-pooler-{kind}"]
            assert (pooler["type"], pooler["cluster"]["name"]) == (kind, cluster.name)
            named = clusters[cluster.name]["certificates"]["serverAltDNSNames"]
            assert f"{cluster.name}-pooler-{kind}" in named


def test_too_few_connections_are_told() -> None:
    with pytest.raises(PoolerRefused, match="max_connections"):
        TARGETS["kubernetes"](example("max_connections = 400", "max_connections = 80"))
