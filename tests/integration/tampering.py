"""What somebody does to an audit log who may do everything on its shard."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from services.chain import hashing
from services.chain.walk import Fault
from tests.integration.chains import Chains


async def row_at(chains: Chains, client: UUID, seq: int) -> tuple[UUID, UUID]:
    """The key of the row that a link names."""
    return client, (await chains.chain(client))[seq - 1]["audit_id"]


async def edit(chains: Chains, client: UUID, seq: int) -> None:
    await chains.sql(
        "UPDATE docshard.audit_logs SET user_id = gen_random_uuid()"
        " WHERE client_id = %s AND id = %s",
        *await row_at(chains, client, seq),
    )


async def rehash(chains: Chains, client: UUID) -> None:
    await chains.sql(
        "UPDATE docshard.audit_logs l SET content_hash = docshard.audit_content_hash(l)"
        " WHERE client_id = %s",
        client,
    )


async def edit_and_rehash(chains: Chains, client: UUID, seq: int) -> None:
    await edit(chains, client, seq)
    await rehash(chains, client)


async def edit_changes(chains: Chains, client: UUID, seq: int) -> None:
    await chains.sql(
        "UPDATE docshard.audit_logs SET changes = jsonb_set(changes, '{after,name}', '\"c\"')"
        " WHERE client_id = %s AND id = %s",
        *await row_at(chains, client, seq),
    )


async def remove_row(chains: Chains, client: UUID, seq: int) -> None:
    await chains.sql(
        "DELETE FROM docshard.audit_logs WHERE client_id = %s AND id = %s",
        *await row_at(chains, client, seq),
    )


async def remove_link(chains: Chains, client: UUID, seq: int) -> None:
    await chains.sql(
        "DELETE FROM docshard.audit_chain WHERE client_id = %s AND seq = %s", client, seq
    )


async def remove_both(chains: Chains, client: UUID, seq: int) -> None:
    await remove_row(chains, client, seq)
    await remove_link(chains, client, seq)


async def reorder(chains: Chains, client: UUID, seq: int) -> None:
    """Two links change places."""
    away = 10**9
    for first, second in ((seq, away), (seq + 1, seq), (away, seq + 1)):
        await chains.sql(
            "UPDATE docshard.audit_chain SET seq = %s WHERE client_id = %s AND seq = %s",
            *(second, client, first),
        )


async def edit_leaf(chains: Chains, client: UUID, seq: int) -> None:
    """The row, its hash and the link's leaf agree; the chain hash does not."""
    await edit_and_rehash(chains, client, seq)
    await chains.sql(
        "UPDATE docshard.audit_chain c SET content_hash = l.content_hash"
        "  FROM docshard.audit_logs l WHERE c.client_id = %s AND c.seq = %s"
        "   AND l.client_id = c.client_id AND l.id = c.audit_id",
        *(client, seq),
    )


async def edit_link(chains: Chains, client: UUID, seq: int) -> None:
    await chains.sql(
        "UPDATE docshard.audit_chain SET chain_hash = sha256(chain_hash)"
        " WHERE client_id = %s AND seq = %s",
        *(client, seq),
    )


Tamper = Callable[[Chains, UUID, int], Awaitable[None]]
TAMPERED: dict[Tamper, Fault] = {
    edit: Fault.CHANGED,
    edit_changes: Fault.CHANGED,
    edit_and_rehash: Fault.CHANGED,
    remove_row: Fault.MISSING,
    remove_link: Fault.REMOVED,
    remove_both: Fault.REMOVED,
    reorder: Fault.RELINKED,
    edit_leaf: Fault.RELINKED,
    edit_link: Fault.RELINKED,
}


async def insert(chains: Chains, client: UUID, like: int, at: datetime) -> None:
    """A row of the superuser's own making, past all triggers, complete with its hash."""
    await chains.sql(
        "INSERT INTO docshard.audit_logs (client_id, id, created_at, content_hash, action,"
        " entity_type, entity_id, changes) SELECT client_id, gen_random_uuid(), %s, content_hash,"
        " action, entity_type, entity_id, changes FROM docshard.audit_logs"
        " WHERE client_id = %s AND id = %s",
        *(at, *await row_at(chains, client, like)),
    )
    await rehash(chains, client)


async def relink(chains: Chains, client: UUID, seq: int) -> None:
    """Recompute the whole chain from a link on, as somebody would who knows how it is made."""
    links = await chains.chain(client)
    previous = bytes(links[seq - 2]["chain_hash"])
    for link in links[seq - 1 :]:
        previous = hashing.extend(previous, link["seq"], bytes(link["content_hash"]))
        await chains.sql(
            "UPDATE docshard.audit_chain SET chain_hash = %s WHERE client_id = %s AND seq = %s",
            *(previous, client, link["seq"]),
        )
