"""Moving tenants between shards while they are read and written.

`transitions` and `preflight` are pure thinking. `steps` lists what a move does, state by state;
`switch`, `abort` and `sweep` are its ends; `mover` goes through them for one move, and `runner`
decides which moves this worker runs. Orders are rows of `global_db.moves`.
"""
