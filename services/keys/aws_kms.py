"""AWS KMS as the guard of data keys: a symmetric key there wraps and unwraps ours.

The context goes along as KMS's encryption context: authenticated by KMS, written to CloudTrail with
every call, and a possible condition of the key's policy. It holds no secret.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from services.errors import Overloaded
from services.key_settings import KmsSettings
from services.keys.provider import KeyProviderError, KeyProviderUnavailable
from services.settings import KeyProviderName, SettingMissing
from services.threads import BoundedThreads

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 2
_MAX_WAITING = 32
# Refusals that pass by themselves; every 5xx is one too.
_PASSING = {
    "DependencyTimeoutException",
    "KMSInternalException",
    "KeyUnavailableException",
    "LimitExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
}


class AwsKmsProvider:
    """`KeyProvider` over one key of AWS KMS.

    Raises:
        SettingMissing: no key is named.
    """

    name = KeyProviderName.AWS_KMS.value

    def __init__(self, settings: KmsSettings) -> None:
        if settings.key_id is None:
            raise SettingMissing("DOCSHARD_KMS_KEY_ID", "unwrapping data keys by AWS KMS")
        self._key_id = settings.key_id
        self._client = _make_client(settings)
        self._threads = BoundedThreads("AWS KMS", _THREADS, _MAX_WAITING)

    async def wrap(self, plain: bytes, context: Mapping[str, str]) -> bytes:
        """Encrypt a data key."""
        answer = await self._run(
            self._client.encrypt,
            KeyId=self._key_id,
            Plaintext=plain,
            EncryptionContext=dict(context),
        )
        return answer["CiphertextBlob"]

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Decrypt a data key."""
        # The key is named although the blob names it too: else whoever writes to our database
        # could bring a blob of a key of his own, and data keys that he knows with it.
        answer = await self._run(
            self._client.decrypt,
            KeyId=self._key_id,
            CiphertextBlob=wrapped,
            EncryptionContext=dict(context),
        )
        return answer["Plaintext"]

    def close(self) -> None:
        """End the threads and the connections."""
        self._threads.close()
        self._client.close()

    async def _run(self, call: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return await self._threads.run(call, *arguments, **named)
        except ClientError as error:
            raise _refusal(error) from error
        except (ConnectionError, HTTPClientError) as error:
            raise KeyProviderUnavailable(f"AWS KMS does not answer: {error}") from error
        except BotoCoreError as error:
            raise KeyProviderError(f"AWS KMS cannot be asked: {error}") from error
        except Overloaded as error:
            raise KeyProviderUnavailable(str(error)) from error


def _make_client(settings: KmsSettings) -> "KMSClient":
    config = Config(
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        retries={"total_max_attempts": settings.attempts, "mode": "standard"},
        max_pool_connections=_THREADS,
    )
    endpoint = None if settings.endpoint is None else str(settings.endpoint).rstrip("/")
    session = boto3.session.Session(region_name=settings.region)
    return session.client("kms", endpoint_url=endpoint, config=config)


def _refusal(error: ClientError) -> KeyProviderError:
    told = error.response.get("Error", {})
    code, message = told.get("Code", "unknown"), told.get("Message") or "no reason given"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or status >= 500:
        return KeyProviderUnavailable(f"AWS KMS cannot serve now: {code}: {message}")
    return KeyProviderError(f"AWS KMS refuses: {code}: {message}")
