"""The statements of the floors and of pgbench, and the tables of all peers. Pure.

Drivers differ in how they write a place for a value: one text is written for each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

USER: LiteralString = "00000000-0000-7000-8000-000000000001"
"""Who makes documents where nobody is asked who they are."""

# A row is exactly as wide as ours, and has every column; indexes are only those that reading one,
# listing the newest and asking the log by entity need. An application like ours would have more.
TABLES: tuple[LiteralString, ...] = (
    "CREATE TABLE docshard.peer_documents (LIKE docshard.documents INCLUDING DEFAULTS, "
    "PRIMARY KEY (client_id, id))",
    "CREATE INDEX ON docshard.peer_documents (client_id, created_at, id) WHERE deleted_at IS NULL",
    "CREATE TABLE docshard.peer_audit_logs (LIKE docshard.audit_logs INCLUDING DEFAULTS, "
    "PRIMARY KEY (client_id, created_at, id))",
    "ALTER TABLE docshard.peer_audit_logs DROP COLUMN content_hash",
    "CREATE INDEX ON docshard.peer_audit_logs (client_id, entity_id, created_at)",
    "CREATE TABLE docshard.peer_users (id uuid PRIMARY KEY, client_id uuid NOT NULL, "
    "email text NOT NULL UNIQUE, is_active boolean NOT NULL)",
    "GRANT SELECT, INSERT ON docshard.peer_documents, docshard.peer_audit_logs, "
    "docshard.peer_users TO docshard_app",
)
# What the service's own tables hold, and a user for each of its clients.
COPY: tuple[LiteralString, ...] = (
    "ALTER TABLE docshard.documents NO FORCE ROW LEVEL SECURITY",
    "INSERT INTO docshard.peer_documents SELECT * FROM docshard.documents",
    "ALTER TABLE docshard.documents FORCE ROW LEVEL SECURITY",
    "INSERT INTO docshard.peer_users SELECT client_id, client_id, client_id::text, true "
    "FROM docshard.peer_documents GROUP BY client_id",
)

_SHOWN: LiteralString = (
    "id, client_id, original_name, mime_type, current_version, size, checksum_sha256, metadata, "
    "created_at, created_by, updated_at, deleted_at, legal_hold, retain_until"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A text with `{name}` where a value belongs; `names` in the order in which they are given."""

    text: LiteralString
    names: tuple[str, ...]

    def numbered(self) -> str:
        """As PostgreSQL itself and asyncpg have it: $1."""
        return self._filled({name: f"${place}" for place, name in enumerate(self.names, 1)})

    def named(self) -> str:
        """As psycopg has it."""
        return self._filled({name: f"%({name})s" for name in self.names})

    def scripted(self, instead: Mapping[str, str]) -> str:
        """As pgbench has it; some values are made by the database `instead`."""
        return self._filled({name: f":{name}" for name in self.names} | dict(instead))

    def _filled(self, places: Mapping[str, str]) -> str:
        return self.text.format_map(places)

    def values(self, given: Mapping[str, object]) -> Sequence[object]:
        """The values in their order."""
        return [given[name] for name in self.names]


READ = Statement(
    f"SELECT {_SHOWN} FROM docshard.peer_documents "  # noqa: S608 - columns of ours
    "WHERE client_id = {client_id} AND id = {id} AND deleted_at IS NULL",
    ("client_id", "id"),
)
LIST = Statement(
    f"SELECT {_SHOWN} FROM docshard.peer_documents "  # noqa: S608 - columns of ours
    "WHERE client_id = {client_id} AND deleted_at IS NULL "
    "ORDER BY created_at DESC, id DESC LIMIT {most}",
    ("client_id", "most"),
)
# One statement is one transaction and one way there and back: nobody can do it in less.
CREATE = Statement(
    "WITH document AS (INSERT INTO docshard.peer_documents "
    "(client_id, id, original_name, mime_type, metadata, created_by) "
    "VALUES ({client_id}, {id}, {original_name}, {mime_type}, {metadata}, {user_id}) "
    "RETURNING created_at), "
    "audit AS (INSERT INTO docshard.peer_audit_logs "
    "(client_id, id, user_id, api_key_id, action, entity_type, entity_id, changes, ip_address, "
    "request_id) VALUES ({client_id}, {audit_id}, {user_id}, {user_id}, 'document.create', "
    "'document', {id}, {changes}, {ip_address}, {request_id})) "
    "SELECT created_at FROM document",
    (
        *("client_id", "id", "original_name", "mime_type", "metadata", "user_id"),
        *("audit_id", "changes", "ip_address", "request_id"),
    ),
)
