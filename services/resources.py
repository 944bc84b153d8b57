"""What a running process holds: clusters, keys, blobs, caches. Made once, passed to use cases."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from global_db import directory
from global_db.cluster import Cluster
from global_db.errors import ClusterError
from global_db.listener import listen
from services import key_uses, traffic
from services.blobs.store import BlobStore
from services.consistency import ConsistencyTokens
from services.cursor import Cursors
from services.errors import KeysUnavailable
from services.expiring_cache import ExpiringCache
from services.identity.passwords import Passwords
from services.identity.principal import Principal
from services.identity.tokens import AccessTokens, TokenIssuer
from services.key_uses import KeyUses
from services.keys.fields import Fields
from services.keys.keyring import REFRESH_SECONDS, Keyring
from services.keys.provider import KeyProvider
from services.keys.providers import open_provider
from services.keys.signing import Signer
from services.keys.store import GlobalKeyStore
from services.settings import DatabaseRole, Settings
from shards.placement import CacheLimits, PlacementCache
from shards.registry import ShardRegistry
from shards.tenants import FenceLimits, Tenants

_log = logging.getLogger(__name__)
_MAX_PRINCIPALS = 20_000


@dataclass(frozen=True, slots=True)
class Data:
    """The databases: the global cluster, the shards, and the tenants in them."""

    global_db: Cluster
    registry: ShardRegistry
    placements: PlacementCache
    tenants: Tenants


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys and what is made with them."""

    keyring: Keyring
    fields: Fields
    access_tokens: AccessTokens
    cursors: Cursors
    consistency: ConsistencyTokens
    passwords: Passwords


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything a use case may need."""

    settings: Settings
    data: Data
    secrets: Secrets
    blobs: BlobStore
    principals: ExpiringCache[bytes | UUID, Principal]
    """By an API key's digest, or a session's id."""
    remembered: ExpiringCache[bytes | UUID, Principal]
    """The same for longer: for the time when the global database cannot be asked."""
    key_uses: KeyUses

    def forget_user(self, user_id: UUID) -> None:
        """Ask anew who this user is, at whatever session; other processes do when leases end."""
        for cache in (self.principals, self.remembered):
            cache.drop_where(lambda principal: principal.user_id == user_id)

    def forget_credential(self, key: bytes | UUID) -> None:
        """Ask anew who comes with this key or session."""
        self.principals.drop(key)
        self.remembered.drop(key)


@asynccontextmanager
async def open_data(settings: Settings, role: DatabaseRole) -> AsyncIterator[Data]:
    """The databases alone, as `role`; for operators' commands.

    Tenants' requests reach living clients alone; what a deleted one left behind is still swept and
    examined.
    """
    login, limits = settings.login(role), settings.pool.limits()
    cluster = Cluster("global", settings.global_nodes, login, limits)
    async with cluster, ShardRegistry(cluster, login, limits) as registry:
        placements = PlacementCache(
            cluster,
            CacheLimits(
                lease_seconds=settings.timing.placement_lease_seconds,
                stale_seconds=settings.timing.outage_seconds,
            ),
            locate=directory.locate if role is DatabaseRole.APP else directory.locate_any,
        )
        tenants = Tenants(
            placements, registry, FenceLimits(wait_seconds=settings.timing.fence_wait_seconds)
        )
        yield Data(cluster, registry, placements, tenants)


@asynccontextmanager
async def open_resources(
    settings: Settings, role: DatabaseRole = DatabaseRole.APP
) -> AsyncIterator[Resources]:
    """Everything, kept fresh in the background until the block ends.

    The global database may be away at the start: the process comes up, and heals when it is back.
    """
    async with AsyncExitStack() as stack:
        data = await stack.enter_async_context(open_data(settings, role))
        provider = stack.enter_context(open_provider(settings))
        secrets = _secrets(settings, data.global_db, provider)
        stack.callback(secrets.passwords.close)
        blobs = BlobStore(settings.s3)
        stack.push_async_callback(blobs.close)
        await _refresh(data, secrets.keyring)
        await stack.enter_async_context(traffic.telling(data.global_db, data.tenants.traffic))
        uses = KeyUses()
        await stack.enter_async_context(key_uses.telling(data.global_db, uses))
        for work in (_keep_fresh(data, secrets.keyring), _keep_listening(data)):
            task = asyncio.create_task(work)
            stack.push_async_callback(_stop, task)
        yield Resources(
            settings,
            data,
            secrets,
            blobs,
            ExpiringCache(_MAX_PRINCIPALS),
            ExpiringCache(_MAX_PRINCIPALS),
            uses,
        )


def _secrets(settings: Settings, cluster: Cluster, provider: KeyProvider) -> Secrets:
    keyring = Keyring(GlobalKeyStore(cluster), provider)
    signer = Signer(keyring)
    issuer = TokenIssuer(settings.issuer, settings.issuer, settings.timing.access_token_seconds)
    return Secrets(
        keyring=keyring,
        fields=Fields(keyring),
        access_tokens=AccessTokens(keyring, issuer),
        cursors=Cursors(signer),
        consistency=ConsistencyTokens(signer),
        passwords=Passwords(
            settings.limits.password_threads, settings.limits.max_waiting_passwords
        ),
    )


async def _refresh(data: Data, keyring: Keyring) -> None:
    # Side by side: a key provider that does not answer must not make us miss a new shard.
    await asyncio.gather(_refresh_keys(keyring), _refresh_shards(data))


async def _refresh_keys(keyring: Keyring) -> None:
    try:
        await keyring.load()
    except KeysUnavailable as error:
        _log.warning("keys cannot be fetched now: %s %s", error, error.__cause__ or "")


async def _refresh_shards(data: Data) -> None:
    try:
        await data.registry.refresh()
    except ClusterError as error:
        _log.warning("the global database cannot be read now: %s", error)


async def _keep_fresh(data: Data, keyring: Keyring) -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        await _refresh(data, keyring)


async def _keep_listening(data: Data) -> None:
    refreshing: set[asyncio.Task[None]] = set()

    async def refresh_shards() -> None:
        with contextlib.suppress(ClusterError):
            await data.registry.refresh()

    def shard_changed(_: str) -> None:
        task = asyncio.create_task(refresh_shards())
        refreshing.add(task)
        task.add_done_callback(refreshing.discard)

    await listen(
        data.global_db,
        {
            "placement": lambda client_id: data.placements.forget(UUID(client_id)),
            "shards": shard_changed,
        },
        on_gap=data.placements.forget_all,
    )


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
