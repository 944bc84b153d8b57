"""Where wrapped data keys are kept: the global database."""

from collections.abc import Sequence
from typing import Protocol

from global_db import data_keys
from global_db.cluster import Cluster
from global_db.data_keys import DataKey
from global_db.errors import ClusterError
from services.errors import KeysUnavailable


class KeyStore(Protocol):
    """Keeps wrapped keys; at most one of each purpose is in use."""

    async def all_keys(self) -> Sequence[DataKey]:
        """Every key, retired ones too.

        Raises:
            KeysUnavailable.
        """

    async def insert(self, key: DataKey) -> bool:
        """Keep a key; False when the purpose has one in use already.

        Raises:
            KeysUnavailable.
        """


class GlobalKeyStore:
    """`KeyStore` in the global table data_keys, each call a transaction of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def all_keys(self) -> Sequence[DataKey]:
        """Every key, retired ones too."""
        try:
            async with self._cluster.read() as connection:
                return await data_keys.all_keys(connection)
        except ClusterError as error:
            raise KeysUnavailable("The global database does not answer.") from error

    async def insert(self, key: DataKey) -> bool:
        """Keep a key; False when the purpose has one in use already."""
        try:
            async with self._cluster.write() as connection:
                return await data_keys.insert(connection, key)
        except ClusterError as error:
            raise KeysUnavailable("The global database does not answer.") from error
