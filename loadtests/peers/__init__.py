"""Peers: the same reads and writes as people would write them without us, to be measured against.

- `floor_asyncpg`, `floor_psycopg`: the least application that does the work, by hand on Starlette:
  one database, no authentication, no row-level security, no routing, hardly any validation. What is
  lost against it is the price of everything that the service does besides.
- `idiomatic`: FastAPI, SQLAlchemy's ORM and pydantic in the manner of the frameworks' own
  tutorials, with a bearer token verified for each request and a tenant filter.

All have the service's addresses, JSON, server options and number of connections, and tables of
their own beside the service's in the same PostgreSQL server. A test holds them to that.

Each is a process: `python -m loadtests.peers.floor_psycopg`, told by its environment where the
database is and where to listen (`loadtests.peers.serving`).
"""
