"""The statements that change residency, each for the whole batch or not at all; see `fence`.

Conditional on move, generation, epoch N of the batch and state, and repeatable: a row that is in
the state that is asked for already counts as changed.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from global_db.columns import given_rows
from global_db.statement import WriteStatement, write
from shards.tables import residency

_MOVE = sa.bindparam("mover", type_=sa.Uuid)
_GENERATION = sa.bindparam("mover_generation", type_=sa.BigInteger)
CLIENTS = sa.bindparam("clients", type_=ARRAY(sa.Uuid))
_batch = given_rows("batch", client_id=("clients", sa.Uuid()), epoch=("epochs", sa.BigInteger()))
_mine = residency.c.move_id == _MOVE
_current = _mine & (residency.c.generation == _GENERATION)


def _whole(change: sa.Insert | sa.Update) -> WriteStatement:
    """The change of the whole batch, or an error."""
    changed = change.returning(residency.c.client_id).cte("changed")
    demand = sa.func.docshard.demand_whole(
        sa.select(sa.func.count()).select_from(changed).scalar_subquery(),
        sa.func.cardinality(CLIENTS),
    )
    return write(sa.select(demand.label("changed")))


def _become(
    state: str, plus: int, *before: sa.ColumnElement[bool], owned: bool = True
) -> WriteStatement:
    """Rows of the batch that are in one of the states `before` become `state` at N + `plus`."""
    change = sa.update(residency).values(
        epoch=_batch.c.epoch + plus,
        state=state,
        move_id=_MOVE if owned else None,
        generation=_GENERATION if owned else None,
        changed_at=sa.func.now(),
    )
    return _whole(change.where(residency.c.client_id == _batch.c.client_id, sa.or_(*before)))


def _at(state: str, plus: int) -> sa.ColumnElement[bool]:
    return (residency.c.state == state) & (residency.c.epoch == _batch.c.epoch + plus)


IMPORT = _whole(
    insert(residency)
    .from_select(
        ["client_id", "epoch", "state", "move_id", "generation"],
        sa.select(
            _batch.c.client_id, _batch.c.epoch + 1, sa.literal("importing"), _MOVE, _GENERATION
        ),
    )
    .on_conflict_do_update(
        index_elements=[residency.c.client_id],
        set_={
            "epoch": sa.text("excluded.epoch"),
            "state": sa.text("excluded.state"),
            "move_id": sa.text("excluded.move_id"),
            "generation": sa.text("excluded.generation"),
            "changed_at": sa.func.now(),
        },
        where=sa.or_(
            (residency.c.state == "gone") & (residency.c.epoch < sa.text("excluded.epoch")),
            (residency.c.state == "importing")
            & _current
            & (residency.c.epoch == sa.text("excluded.epoch")),
        ),
    )
)
OWN = _become(
    "open",
    0,
    _at("open", 0)
    & sa.or_(
        residency.c.move_id.is_(None),
        _mine,
        residency.c.move_id == sa.any_(sa.bindparam("ended", type_=ARRAY(sa.Uuid))),
    ),
)
FENCE = _become("fenced", 0, _current & sa.or_(_at("open", 0), _at("fenced", 0)))
OPEN = _become("open", 1, _current & sa.or_(_at("importing", 1), _at("open", 1)))
LEAVE = _become("gone", 0, _current & _at("fenced", 0), _mine & _at("gone", 0))
GIVE_BACK = _become(
    "open",
    2,
    _current & sa.or_(_at("open", 0), _at("fenced", 0)),
    residency.c.move_id.is_(None) & _at("open", 2),
    owned=False,
)
DROP = _become(
    "gone", 1, _current & sa.or_(_at("importing", 1), _at("open", 1)), _mine & _at("gone", 1)
)
RELEASE = _become(
    "open",
    1,
    _current & _at("open", 1),
    residency.c.move_id.is_(None) & _at("open", 1),
    owned=False,
)
