"""Attempts to get in, counted before anything is looked at, in the database that all workers share.

An attempt is a failure until it has succeeded: of a thousand guesses at the same moment all but
the free ones are refused. What is refused here costs no hashing, and a right password is refused
as well.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

from global_db import login_failures
from global_db.connection import WriteConnection
from global_db.login_failures import Counted, Kind
from services.errors import TooManyRequests
from services.failures import global_failures
from services.identity.lockout import Lockout
from services.identity.principal import Origin
from services.resources import Resources
from services.settings import SessionSettings

_IPV6_NETWORK_BITS = 64  # what one customer has; within it addresses are free


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt is counted against, always in this order; either may be unknown."""

    account: Counted | None
    address: Counted | None

    @property
    def counters(self) -> tuple[Counted, ...]:
        """Those that there are."""
        return tuple(one for one in (self.account, self.address) if one is not None)


def attempt_at(email_index: bytes | None, origin: Origin) -> Attempt:
    """Name the counters of an attempt at this account, whether it exists or not."""
    account = None if email_index is None else Counted(Kind.ACCOUNT, email_index)
    address = None if origin.ip_address is None else _network(origin.ip_address)
    return Attempt(account, address)


async def charge(resources: Resources, connection: WriteConnection, attempt: Attempt) -> None:
    """Count the attempt as a failure.

    Raises:
        TooManyRequests: it comes too soon after others. Nothing is counted when the caller lets
            the transaction go.
    """
    for counted in attempt.counters:
        rule = _rule(resources.settings.sessions, counted.kind)
        found = await login_failures.claim(connection, counted)
        elapsed = (found.now - found.failed_at).total_seconds()
        wait = rule.wait(found.failures, elapsed)
        if wait:
            raise TooManyRequests(
                "Too many attempts to log in have failed.", retry_after_seconds=wait
            )
        await login_failures.count(connection, counted, rule.counted(found.failures, elapsed))


async def succeed(connection: WriteConnection, attempt: Attempt) -> None:
    """Forget the account's failures, and this one of the address.

    The address keeps the others: a guesser may have an account of its own.
    """
    if attempt.account is not None:
        await login_failures.reset(connection, attempt.account)
    if attempt.address is not None:
        await login_failures.forgive(connection, attempt.address)


async def take_back(resources: Resources, attempt: Attempt) -> None:
    """Uncount an attempt that was not looked at."""
    with global_failures():
        async with resources.data.global_db.write() as connection:
            for counted in attempt.counters:
                await login_failures.forgive(connection, counted)


def _rule(settings: SessionSettings, kind: Kind) -> Lockout:
    longest = settings.longest_login_delay_seconds
    if kind is Kind.ACCOUNT:
        return Lockout(settings.free_login_failures_per_account, longest, forget_after=24 * 3600)
    return Lockout(settings.free_login_failures_per_address, longest, forget_after=3600)


def _network(address: IPv4Address | IPv6Address) -> Counted:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    own = mapped or address
    bits = _IPV6_NETWORK_BITS if own.version == 6 else own.max_prefixlen
    network = ip_network((own, bits), strict=False)
    return Counted(Kind.ADDRESS, hashlib.sha256(str(network).encode()).digest())
