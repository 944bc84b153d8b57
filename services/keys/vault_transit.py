"""HashiCorp Vault's transit engine as the guard of data keys: a key there wraps and unwraps ours.

The context goes along as `associated_data`, which Vault knows since 1.13 for its AEAD keys
(aes256-gcm96, the default). An older one ignores it without a word: that is found out when the
first key is wrapped, and refused.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hvac
from hvac import exceptions

from services.errors import Overloaded
from services.key_settings import VaultSettings
from services.keys.provider import KeyProviderError, KeyProviderUnavailable, canonical
from services.settings import KeyProviderName, SettingMissing
from services.threads import BoundedThreads

_MAX_WAITING = 32
_PASSING = (
    exceptions.VaultDown,  # sealed, or in maintenance
    exceptions.VaultNotInitialized,
    exceptions.InternalServerError,
    exceptions.BadGateway,
    exceptions.RateLimitExceeded,
)


class VaultTransitProvider:
    """`KeyProvider` over one key of a transit engine.

    Raises:
        SettingMissing.
    """

    name = KeyProviderName.VAULT_TRANSIT.value

    def __init__(self, settings: VaultSettings) -> None:
        purpose = "unwrapping data keys by Vault"
        if settings.addr is None:
            raise SettingMissing("DOCSHARD_VAULT_ADDR", purpose)
        if settings.token_file is None:
            raise SettingMissing("DOCSHARD_VAULT_TOKEN_FILE", purpose)
        if settings.transit_key is None:
            raise SettingMissing("DOCSHARD_VAULT_TRANSIT_KEY", purpose)
        self._token_file: Path = settings.token_file
        self._place = {"name": settings.transit_key, "mount_point": settings.mount}
        self._client = hvac.Client(
            url=str(settings.addr).rstrip("/"),
            token="",  # read from the file before every call
            timeout=settings.timeout_seconds,
            verify=True if settings.ca_file is None else str(settings.ca_file),
        )
        # One thread: hvac's session is not made to be shared.
        self._threads = BoundedThreads("Vault", 1, _MAX_WAITING)

    async def wrap(self, plain: bytes, context: Mapping[str, str]) -> bytes:
        """Encrypt a data key, and make sure that Vault has bound it to the context."""
        answer = await self._run(
            self._transit.encrypt_data, plaintext=_base64(plain), associated_data=_bound(context)
        )
        wrapped = str(answer["ciphertext"]).encode()
        await self._require_binding(wrapped)
        return wrapped

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Decrypt a data key."""
        answer = await self._run(
            self._transit.decrypt_data,
            ciphertext=wrapped.decode("ascii", "replace"),
            associated_data=_bound(context),
        )
        try:
            return base64.b64decode(answer["plaintext"], validate=True)
        except binascii.Error as error:
            raise KeyProviderError("Vault answered what is no base64") from error

    def close(self) -> None:
        """End the thread and the connections."""
        self._threads.close()
        self._client.adapter.close()

    @property
    def _transit(self) -> Any:
        return self._client.secrets.transit

    async def _require_binding(self, wrapped: bytes) -> None:
        try:
            await self.unwrap(wrapped, {"context": "another one"})
        except KeyProviderUnavailable:
            raise
        except KeyProviderError:
            return
        raise KeyProviderError(
            "Vault ignores associated_data, so a data key would open in another's place: it has "
            "to be 1.13 or newer"
        )

    async def _run(self, call: Callable[..., Any], **named: Any) -> dict[str, Any]:
        try:
            answer = await self._threads.run(self._call, call, **named)
        except _PASSING as error:
            raise KeyProviderUnavailable(f"Vault cannot serve now: {error}") from error
        except exceptions.VaultError as error:
            raise KeyProviderError(f"Vault refuses: {error}") from error
        except Overloaded as error:
            raise KeyProviderUnavailable(str(error)) from error
        except OSError as error:  # the base of every error of `requests`, time-outs among them
            raise KeyProviderUnavailable(f"Vault does not answer: {error}") from error
        data: dict[str, Any] = answer["data"]
        return data

    def _call(self, call: Callable[..., Any], **named: Any) -> Any:
        try:
            self._client.token = self._token_file.read_text().strip()
        except OSError as error:
            raise KeyProviderError(
                f"the Vault token file {self._token_file} cannot be read: {error.strerror}"
            ) from error
        return call(**self._place, **named)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bound(context: Mapping[str, str]) -> str:
    return _base64(canonical(context))
