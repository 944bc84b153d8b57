"""Three hosts, installed from rendered files alone, serve tenants while a host is cut off, routers
are renewed and a shard is added. The transcript stands in docs/three-hosts.md."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.fleet import until
from tests.hosts.fleet import FIRST, PATIENCE_SECONDS, SECOND, THIRD, ThreeHosts, three_hosts
from tests.hosts.story import Story
from tests.lacking import lacking

pytestmark = pytest.mark.torture

_MORE = (Path(__file__).parent / "fleet_more.toml").read_text()


@pytest.fixture
def story(tell: Callable[[str], None]) -> Iterator[Story]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        lacking("hosts of namespaces take root, and iproute2")
    with tempfile.TemporaryDirectory(prefix="docshard-hosts-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with three_hosts(folder) as fleet:
            yield Story(fleet, tell)


def test_three_hosts(story: Story) -> None:
    install(story)
    with story.load():
        until(lambda: story.acknowledged() > 20, PATIENCE_SECONDS)
        cut_a_host_off(story)
        renew_routers(story)
        add_a_shard(story)
        written = story.acknowledged()
    story.say(f"{written} writes were acknowledged")
    story.assert_nothing_lost()
    story.say("each of them is there, once")
    prove(story)


def install(story: Story) -> None:
    """What stands below others is started first."""
    fleet = story.fleet
    for number, etcd in ((FIRST, "etcd-1"), (SECOND, "etcd-2"), (THIRD, "etcd-3")):
        fleet.start(number, etcd)
    fleet.start(THIRD, "s3")
    fleet.await_storage()
    story.command("bucket", "prepare")
    start_cluster(fleet, "global")
    start_cluster(fleet, "shard-1")
    story.say("etcd, SeaweedFS, two clusters under Patroni and their poolers run on three hosts")
    clusters = ("global", "shard-1")
    story.together(*(("shard", "prepare", fleet.superuser(name)) for name in clusters))
    story.command("migrate", "up")
    add = ("shard", "add", "shard-1", "--fleet", "/etc/docshard/fleet.toml")
    story.together(add, story.init_admin())
    story.forget_password()
    fleet.start(FIRST, "router-1")
    fleet.start(SECOND, "router-2")
    fleet.start(THIRD, "worker-1")
    fleet.start_balancer()
    for number in (FIRST, SECOND):
        until(partial(fleet.ready, number), PATIENCE_SECONDS, 0.3)
    for router in ("router-1", "router-2"):
        fleet.await_in_use(router)
    until(fleet.serves, PATIENCE_SECONDS, 0.3)
    story.say(f"two routers, a worker and HAProxy serve at {fleet.api}")
    story.make_tenants()


def start_cluster(fleet: ThreeHosts, name: str) -> None:
    """The first node makes the data, the others copy it."""
    numbers = {host.address: number for number, host in fleet.hosts.items()}
    for node in fleet.cluster(name).nodes:
        fleet.start(numbers[node.address.host], node.name)
        fleet.await_leader(name)
    fleet.await_whole(name)
    for pooler in fleet.cluster(name).poolers:
        fleet.start(numbers[pooler.address.host], pooler.name)


def cut_a_host_off(story: Story) -> None:
    """The second host has a router, the shard's primary, a replica of the directory, an etcd."""
    fleet = story.fleet
    assert fleet.leader("shard-1") == "shard-1-a"
    begun = time.monotonic()
    fleet.network.cut(SECOND)
    story.say("host 2 is cut off: router-2, the primary of shard-1, an etcd, a global replica")
    until(lambda: fleet.leader("shard-1") == "shard-1-b", PATIENCE_SECONDS, 0.3)
    story.say(f"shard-1-b leads, {time.monotonic() - begun:.1f} s after")
    await_writes(story)
    story.say(f"all tenants write again; the longest wait was {story.gap(begun):.1f} s")
    fleet.network.mend(SECOND)
    story.say("host 2 is back")
    seconds = fleet.await_whole("global", "shard-1")
    fleet.await_in_use("router-2")
    story.say(f"both clusters are whole and router-2 is in use again, {seconds:.1f} s after")


def await_writes(story: Story) -> None:
    """Until every tenant has written anew."""
    since = time.monotonic()
    until(
        lambda: all(one.acknowledged and one.acknowledged[-1] > since for one in story.ledgers),
        PATIENCE_SECONDS,
    )


def renew_routers(story: Story) -> None:
    """One after the other, as docs/upgrades.md says."""
    begun = time.monotonic()
    for number, router in ((FIRST, "router-1"), (SECOND, "router-2")):
        service = story.fleet.services[router]
        seconds = service.stop()
        service.start()
        until(partial(story.fleet.ready, number), PATIENCE_SECONDS, 0.3)
        story.fleet.await_in_use(router)
        story.say(f"{router} was stopped within {seconds:.1f} s, started, and is in use again")
    await_writes(story)
    story.say(f"the longest wait of a tenant meanwhile was {story.gap(begun):.1f} s")


def add_a_shard(story: Story) -> None:
    """On hosts that are there; then a tenant moves to it."""
    fleet = story.fleet
    rendered = fleet.rendered
    fleet.rendered = replace(
        rendered,
        folder=rendered.folder.with_name("more"),
        text=rendered.text + _MORE.replace("NET", fleet.network.prefix),
    )
    fleet.rendered.write()
    for number in (FIRST, SECOND, THIRD):
        fleet.installer.install(fleet.rendered, fleet.hosts[number])
    start_cluster(fleet, "shard-2")
    story.command("shard", "prepare", fleet.superuser("shard-2"))
    story.command("shard", "add", "shard-2", "--fleet", "/etc/docshard/fleet.toml")
    story.command("move", "create", "tenant-0", "--to", "shard-2", "--wait")
    await_writes(story)


def prove(story: Story) -> None:
    """I2 to I8 from the data itself, as `docshard doctor` proves them for an operator."""
    for name in ("global", "shard-1", "shard-2"):
        story.fleet.await_whole(name)
    story.command("doctor", "--deep", "--read-blobs")
