"""From the operator's wishes and what already runs to the state of the home."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.errors import UsageFault
from deploy.fleet.planning import (
    Ports,
    PortsExhausted,
    Shape,
    inner_ports_of,
    plan,
    ports_of,
    shard_number,
)
from deploy.fleet.settings import FleetSettings
from deploy.local import ports, processes
from deploy.local.backups import require_pgbackrest
from deploy.local.engines import (
    Engines,
    choose_data_folder,
    find_engines,
    server_user,
)
from deploy.local.etcd import find_etcd
from deploy.local.home import Home, State
from deploy.local.postgres import check_version
from deploy.local.processes import give
from deploy.local.runtime import find_runtime


def settle_state(
    home: Home, settings: FleetSettings, *, ha: bool, backups: bool | None = None
) -> State:
    """Make the home's folders, plan its fleet and write both down.

    An existing fleet keeps its data and grows when the settings ask for more; it never shrinks, and
    what once was put under Patroni stays there. Without a wish for `backups` it keeps what it has.

    Raises:
        UsageFault: the settings cannot be met.
        Refused: backups are wished for, and pgBackRest cannot take them.
    """
    previous = home.load()
    return _settle(home, settings, previous, _Wish(settings.shards, ha, backups=backups))


def grow_state(home: Home, settings: FleetSettings, number: int) -> State:
    """Plan one more shard, with this number, into an existing fleet and write it down.

    Numbers between that and the fleet's own are somebody else's: they are never made here.

    Raises:
        UsageFault: the settings cannot be met.
    """
    previous = home.require()
    own = {shard_number(shard.name) for shard in previous.fleet.shards}
    absent = previous.absent | (set(range(1, number)) - own)
    return _settle(home, settings, previous, _Wish(number, absent=absent))


def shrink_state(home: Home, name: str) -> State:
    """Take a shard out of the fleet's model for ever and write that down."""
    state = home.require()
    left = tuple(shard for shard in state.fleet.shards if shard.name != name)
    fleet = state.fleet.model_copy(update={"shards": left})
    absent = state.absent | {shard_number(name)}
    changed = state.model_copy(update={"fleet": fleet, "absent": absent})
    home.save(changed)
    return changed


@dataclass(frozen=True)
class _Wish:
    """What one settling asks for besides the settings: see `Shape`."""

    shards: int
    ha: bool = False
    absent: frozenset[int] = frozenset()
    backups: bool | None = None


def _settle(home: Home, settings: FleetSettings, previous: State | None, wish: _Wish) -> State:
    home.create()
    data = previous.data if previous else choose_data_folder(home.path, server_user())
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o711)
    give(data, server_user())
    chosen = settings.postgres.resolve() if settings.postgres else None
    postgres = chosen or (previous.postgres if previous else None)
    engines = find_engines(postgres, data)
    if previous:
        for cluster in previous.fleet.clusters:
            for node in cluster.nodes:
                check_version(data / node.name, engines.postgres_major)
    try:
        shape = _shape(settings, engines, previous, wish)
        if shape.backups:
            require_pgbackrest(engines)
        fleet = plan(shape, _ports(home, settings, previous))
    except PortsExhausted as error:
        raise UsageFault(
            f"The fleet finds no ports: {error}.", "", "Choose a lower DOCSHARD_PORT."
        ) from error
    if fleet.etcd:
        # Found here, so that what is missing is told before anything starts and copies are made by
        # one, not by each node at its start.
        find_etcd(data)
        find_runtime(data)
    settled = previous.settled if previous else None
    state = State(fleet=fleet, data=data, postgres=postgres, settled=settled, absent=shape.absent)
    home.save(state)
    return state


def _shape(settings: FleetSettings, engines: Engines, previous: State | None, wish: _Wish) -> Shape:
    absent = wish.absent | (previous.absent if previous else frozenset())
    shape = Shape(
        wish.shards,
        settings.replicas,
        poolers=engines.pooler is not None,
        ha=wish.ha,
        absent=absent,
        backups=_is_backed_up(previous) if wish.backups is None else wish.backups,
    )
    if previous:
        shape = shape.grown_to_cover(previous.fleet)
    if shape.ha and not shape.replicas:
        raise UsageFault(
            "A fleet without replicas cannot fail over.",
            "With --ha each cluster needs somebody to take its primary's place.",
            "Set DOCSHARD_REPLICAS to 1 or more.",
        )
    return shape


def _is_backed_up(previous: State | None) -> bool:
    return previous is not None and previous.fleet.backups is not None


def _ports(home: Home, settings: FleetSettings, previous: State | None) -> Ports:
    if previous is None:
        return Ports(settings.port, ports.is_free)
    had = ports_of(previous.fleet)
    running = {name for name in had if processes.find(home.run / f"{name}.json")}
    for name, inner in inner_ports_of(previous.fleet).items():
        if name in running:
            running |= inner.keys()
    return Ports(
        # What is added to a fleet that runs listens beside it, whatever this shell is set for.
        had["router"] if running else settings.port,
        ports.is_free,
        fixed={name: had[name] for name in running},
        # A fleet that rests may go back to the ports that the settings name.
        wanted=had if running else {},
    )
