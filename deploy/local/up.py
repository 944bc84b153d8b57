"""Brings a local fleet up: starts what is missing, migrates, repairs; quick when all is well."""

from __future__ import annotations

import asyncio
import hashlib
from asyncio import TaskGroup, to_thread
from dataclasses import dataclass

from deploy.backups.taking import ensure_backups
from deploy.fleet.model import Fleet
from deploy.fleet.postgres import superuser_dsn
from deploy.fleet.settings import FleetSettings
from deploy.local.application import code_mark
from deploy.local.backups import write_all
from deploy.local.checklist import Checklist
from deploy.local.contents import Contents
from deploy.local.down import end_departed, end_strays
from deploy.local.home import Home, State
from deploy.local.parts import Parts, parts_of
from deploy.local.planning import settle_state
from deploy.local.postgres import ensure_template, renew_template
from deploy.local.secrets import load_demo
from deploy.local.servers import Server
from global_db.bootstrap import bootstrap


@dataclass(frozen=True)
class Wish:
    """What the operator wants: the fleet, its size, whether demo tenants live in it.

    `ha` puts every cluster under Patroni; a fleet that is stays so without being told. So does
    one that is backed up, when `backups` is None.
    """

    settings: FleetSettings
    demo: bool = True
    ha: bool = False
    backups: bool | None = None


@dataclass(frozen=True)
class Raised:
    """A fleet that serves. `changed` is False when it did already."""

    fleet: Fleet
    changed: bool


async def bring_up(home: Home, wish: Wish, checklist: Checklist) -> Raised:
    """Start everything that does not run, and bring schemas and services to this code.

    Raises:
        OperatorError: a part failed; what already runs stays, and another `up` goes on from there.
    """
    if home.load() is None:
        # The folder may have been deleted under a running fleet, whose servers hold the ports.
        await to_thread(end_strays, home)
    state = settle_state(home, wish.settings, ha=wish.ha, backups=wish.backups)
    parts = parts_of(home, state)
    mark = _mark(parts)
    wants_demo = wish.demo and load_demo(home) is None
    if state.settled == mark and _all_well(parts) and not wants_demo:
        return Raised(state.fleet, changed=False)
    home.save(state.model_copy(update={"settled": None}))
    raising = _Raising(parts, checklist)
    await raising.run()
    # Last: servers that archive are told of its end before the store that they push to goes.
    await to_thread(end_departed, parts, checklist)
    if wants_demo:
        await raising.fill()
    home.save(state.model_copy(update={"settled": mark}))
    return Raised(state.fleet, changed=True)


async def raise_cluster(parts: Parts, name: str, checklist: Checklist) -> None:
    """Start one cluster of a fleet that serves, with its roles; nothing else is touched.

    Raises:
        OperatorError: a server does not start.
    """
    await _Raising(parts, checklist).alone(name)


def keep_settled(home: Home, before: State, after: State) -> None:
    """Let a settled fleet stay so with a changed model: the next `up` finds nothing to do."""
    if before.settled == _mark(parts_of(home, before)):
        home.save(after.model_copy(update={"settled": _mark(parts_of(home, after))}))


def _mark(parts: Parts) -> str:
    facts = (code_mark(), parts.site.state.fleet.model_dump_json(), parts.router.fingerprint())
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _all_well(parts: Parts) -> bool:
    return all(part.serves() and not part.outdated() for part in parts.all)


class _Raising:
    """One run of `up`."""

    def __init__(self, parts: Parts, checklist: Checklist) -> None:
        self._parts = parts
        self._checklist = checklist
        self._contents = Contents(parts.site)

    async def run(self) -> None:
        """Engines side by side, then what they hold, then our own code."""
        await self._template()
        async with TaskGroup() as group:
            group.create_task(self._storage())
            for pooler in self._parts.poolers:
                group.create_task(self._start(pooler))
            group.create_task(self._databases(group))
        async with TaskGroup() as group:
            for application in self._parts.applications:
                group.create_task(self._renew(application))
        # Last: the fleet serves, and nothing that starts has to share the machine with them.
        if self._parts.site.state.fleet.backups:
            await self._first_backups()

    async def alone(self, name: str) -> None:
        """One cluster, pooler and all."""
        site, nodes = self._parts.site, self._parts.clusters[name]
        if not any(node.folder.exists() for node in nodes):
            with self._checklist.part("initdb"):
                await to_thread(renew_template, site)
        async with TaskGroup() as group:
            for pooler in self._parts.poolers:
                if pooler.cluster.name == name:
                    group.create_task(self._start(pooler))
            await self._cluster(name, group)

    async def fill(self) -> None:
        """Demo tenants with real files, through the API."""
        with self._checklist.part("demo tenants") as line:
            await self._contents.seed_demo(line)

    async def _template(self) -> None:
        if all(nodes[0].folder.exists() for nodes in self._parts.clusters.values()):
            return
        with self._checklist.part("initdb (once)"):
            await to_thread(ensure_template, self._parts.site)

    async def _storage(self) -> None:
        await asyncio.gather(*(self._renew(storage) for storage in self._parts.storages))
        with self._checklist.part("bucket"):
            await self._contents.make_buckets()

    async def _databases(self, group: TaskGroup) -> None:
        await asyncio.gather(*(self._start(member) for member in self._parts.etcd))
        await asyncio.gather(*(self._cluster(name, group) for name in self._parts.clusters))
        with self._checklist.part("schemas") as line:
            line.note = await self._contents.migrate()
        with self._checklist.part("operator"):
            await self._contents.make_operator()

    async def _first_backups(self) -> None:
        """One after the other: WAL alone restores nothing. Servers that ran all the time were told
        by files that this code may write otherwise."""
        await to_thread(write_all, self._parts.site)
        for name in self._parts.clusters:
            with self._checklist.part(f"{name}: backups") as line:
                line.note = await to_thread(ensure_backups, self._contents.settings, name)

    async def _cluster(self, name: str, group: TaskGroup) -> None:
        """The primary with its roles; replicas follow while schemas are made."""
        first = self._parts.starters(name)
        await asyncio.gather(*(self._renew(node) for node in first))
        primary = await to_thread(self._parts.await_primary, name)
        await to_thread(primary.agree)
        with self._checklist.part(f"{name}: roles and extensions"):
            secrets = self._parts.site.secrets
            dsn = superuser_dsn(primary.node.address, secrets.superuser)
            await to_thread(bootstrap, dsn, secrets.roles)
        for node in self._parts.clusters[name]:
            if node not in first:
                group.create_task(self._renew(node))

    async def _start(self, server: Server) -> None:
        if await to_thread(server.serves):
            return
        with self._checklist.part(server.name):
            await to_thread(server.start)

    async def _renew(self, server: Server) -> None:
        if server.process() is not None and server.outdated():
            with self._checklist.part(f"stop {server.name}, to start it anew"):
                await to_thread(server.stop)
        await self._start(server)
