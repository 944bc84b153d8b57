"""The one interface to whatever guards our data keys: a file, or a key management service."""

from collections.abc import Mapping
from typing import Protocol

import orjson


class KeyProviderError(Exception):
    """The provider refused: wrong context, foreign or damaged key, or not permitted."""


class KeyProviderUnavailable(KeyProviderError):
    """The provider does not answer; it may later."""


class KeyProvider(Protocol):
    """Wraps data keys with a key that never leaves the provider.

    The context (what the key is for) is authenticated and not encrypted: a wrapped key opens
    only with the context that it was wrapped with. Wrapped keys are opaque.
    """

    @property
    def name(self) -> str:
        """What is written beside the keys that it wrapped, such as `local-file`."""

    async def wrap(self, plain: bytes, context: Mapping[str, str]) -> bytes:
        """Encrypt a data key.

        Raises:
            KeyProviderUnavailable, KeyProviderError.
        """

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Decrypt a data key that `wrap` gave out for the same context.

        Raises:
            KeyProviderUnavailable, KeyProviderError.
        """


def canonical(context: Mapping[str, str]) -> bytes:
    """Give a context as bytes, for providers that authenticate bytes: one context, one form."""
    return orjson.dumps(dict(context), option=orjson.OPT_SORT_KEYS)
