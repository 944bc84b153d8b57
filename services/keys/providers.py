"""Which provider guards the data keys: chosen by settings, opened and closed.

The clients of AWS and of Vault take a quarter of a second to import together, and a process needs
at most one of them: it is imported when it is chosen.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

from global_db.cluster import Cluster
from services.keys.keyring import Keyring
from services.keys.local_file import LocalFileProvider
from services.keys.provider import KeyProvider
from services.keys.store import GlobalKeyStore
from services.settings import KeyProviderName, Settings


@contextmanager
def open_provider(settings: Settings, name: KeyProviderName | None = None) -> Iterator[KeyProvider]:
    """A provider by its name, else the chosen one. Nothing is asked of it yet.

    Raises:
        SettingMissing, KeyFileError.
    """
    match name or settings.chosen_key_provider():
        case KeyProviderName.LOCAL_FILE:
            yield LocalFileProvider(settings.require_key_file())
        case KeyProviderName.AWS_KMS:
            from services.keys.aws_kms import AwsKmsProvider  # noqa: PLC0415 - see above

            with closing(AwsKmsProvider(settings.kms)) as kms:
                yield kms
        case KeyProviderName.VAULT_TRANSIT:
            from services.keys.vault_transit import VaultTransitProvider  # noqa: PLC0415 - see above

            with closing(VaultTransitProvider(settings.vault)) as vault:
                yield vault


@asynccontextmanager
async def open_keyring(settings: Settings, cluster: Cluster) -> AsyncIterator[Keyring]:
    """The data keys alone, loaded; for operators' commands.

    Raises:
        SettingMissing, KeyFileError, KeysUnavailable.
    """
    with open_provider(settings) as provider:
        keyring = Keyring(GlobalKeyStore(cluster), provider)
        await keyring.load()
        yield keyring
