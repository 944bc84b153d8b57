"""The two faces of the library: `Docshard` blocks, `AsyncDocshard` awaits. Nothing else differs."""

from docshard_client.drivers import Awaiting, Blocking
from docshard_client.operations import Operations
from docshard_client.transfers import Transfers


class Docshard(Blocking, Operations, Transfers):
    """A blocking connection to the service, as one principal. Close it, or use `with`.

    `bearer` is an API key or an access token; without it call `login` first. An `http` client
    that was handed in stays the caller's to close. Every method raises ApiError when the service
    refuses and ConnectionFailed when it cannot be reached, both after patient retries. Several
    threads may share one. With `max_staleness` seconds a replica not farther behind may answer what
    is read; writes made through this object are seen all the same.
    """


class AsyncDocshard(Awaiting, Operations, Transfers):
    """The same as Docshard for asyncio: methods are awaited, lists are `async for`."""
