"""What a mover does on one shard, or between two: the steps of a move that touch tenants' data.

Each step may be repeated. A transaction that changes anything begins with `docshard.as_mover`, so a
mover that was succeeded by another one changes nothing more (migrations/sql/0008_moving.sql). Which
step comes when is not decided here.
"""
