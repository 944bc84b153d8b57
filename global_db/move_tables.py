"""The global database's tables about what is moving between shards."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from global_db.columns import moment
from global_db.tables import METADATA, clients, shards

_EMPTY = sa.text("'{}'::jsonb")

rebalances = sa.Table(
    "rebalances",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("goal", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("plan", JSONB, nullable=False, server_default=_EMPTY),
    sa.Column("created_by", sa.Uuid),
    moment("created_at", default_now=True),
    moment("finished_at", nullable=True),
    sa.Column("settings", JSONB, nullable=False, server_default=_EMPTY),
    moment("updated_at", default_now=True),
    sa.CheckConstraint("goal IN ('ring', 'load', 'drain')", name="goal"),
    sa.CheckConstraint(
        "state IN ('planned', 'running', 'paused', 'finished', 'stopped')", name="state"
    ),
    sa.Index(
        "idx_rebalances_living",
        sa.text("(true)"),
        unique=True,
        postgresql_where=sa.text("state IN ('planned', 'running', 'paused')"),
    ),
)

moves = sa.Table(
    "moves",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("rebalance_id", sa.Uuid, sa.ForeignKey(rebalances.c.id)),
    sa.Column("source", sa.Text, sa.ForeignKey(shards.c.name), nullable=False),
    sa.Column("target", sa.Text, sa.ForeignKey(shards.c.name), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("lease_owner", sa.Text),
    moment("lease_until", nullable=True),
    sa.Column("predicted", JSONB, nullable=False, server_default=_EMPTY),
    sa.Column("actual", JSONB, nullable=False, server_default=_EMPTY),
    moment("created_at", default_now=True),
    moment("updated_at", default_now=True),
    sa.Column("position", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("wish", sa.Text, nullable=False, server_default=sa.text("'run'")),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
    moment("not_before", nullable=True),
    sa.Column("fault", sa.Text),
    sa.Column("reverses", sa.Uuid, sa.ForeignKey("docshard.moves.id")),
    sa.Column("retries", sa.Uuid, sa.ForeignKey("docshard.moves.id")),
    sa.Column("progress", JSONB, nullable=False, server_default=_EMPTY),
    sa.Column("facts", JSONB, nullable=False, server_default=_EMPTY),
    moment("state_since", default_now=True),
    moment("switched_at", nullable=True),
    moment("sweep_after", nullable=True),
    sa.Column("reason", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("created_by", sa.Uuid),
    sa.CheckConstraint("source <> target", name="apart"),
    sa.CheckConstraint("wish IN ('run', 'pause', 'abort')", name="wish"),
    sa.CheckConstraint(
        "state IN ('planned', 'copying', 'catching_up', 'verifying', 'fenced', 'switched',"
        " 'swept', 'aborted')",
        name="state",
    ),
)
ENDED = ("swept", "aborted")
STARTED = ("copying", "catching_up", "verifying", "fenced")
"""States in which a move works on its source and its target."""


def in_state(*states: str) -> sa.ColumnElement[bool]:
    """The move is in one of these states; written out, as partial indexes have it."""
    return moves.c.state.in_([sa.literal_column(f"'{state}'") for state in states])


sa.Index("idx_moves_rebalance", moves.c.rebalance_id)
sa.Index("idx_moves_source", moves.c.source)
sa.Index("idx_moves_target", moves.c.target)
sa.Index(
    "idx_moves_reverses",
    moves.c.reverses,
    unique=True,
    postgresql_where=moves.c.state != sa.literal_column("'aborted'"),
)
sa.Index("idx_moves_retries", moves.c.retries, unique=True)
sa.Index(
    "idx_moves_living",
    moves.c.state,
    postgresql_where=~in_state(*ENDED),
)

move_clients = sa.Table(
    "move_clients",
    METADATA,
    sa.Column("move_id", sa.Uuid, sa.ForeignKey(moves.c.id), nullable=False),
    sa.Column("client_id", sa.Uuid, sa.ForeignKey(clients.c.id), nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.PrimaryKeyConstraint("move_id", "client_id"),
)
sa.Index(
    "idx_move_clients_living",
    move_clients.c.client_id,
    unique=True,
    postgresql_where=~move_clients.c.ended,
)
sa.Index("idx_move_clients_client", move_clients.c.client_id)

leftovers = sa.Table(
    "leftovers",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("move_id", sa.Uuid, sa.ForeignKey(moves.c.id), nullable=False),
    sa.Column("shard", sa.Text, sa.ForeignKey(shards.c.name), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    moment("created_at", default_now=True),
    moment("removed_at", nullable=True),
    sa.CheckConstraint("kind IN ('slot', 'publication', 'subscription', 'tenant')", name="kind"),
)
sa.Index(
    "idx_leftovers_living",
    leftovers.c.shard,
    leftovers.c.kind,
    leftovers.c.name,
    unique=True,
    postgresql_where=leftovers.c.removed_at.is_(None),
)
sa.Index("idx_leftovers_move", leftovers.c.move_id)
