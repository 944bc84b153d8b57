"""Data keys wrapped by Vault's transit engine, against a double of Vault's HTTP protocol."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.key_settings import VaultSettings
from services.keys.provider import KeyProviderError, KeyProviderUnavailable
from services.keys.vault_transit import VaultTransitProvider
from services.settings import SettingMissing
from tests.integration.vault_double import VaultDouble, running

SECRET = b"k" * 32
CONTEXT = {"service": "docshard", "purpose": "field_encryption", "key_id": "1"}


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[VaultDouble]:
    with running(VaultDouble(tmp_path / "token")) as double:
        yield double


async def test_a_wrapped_key_opens_in_its_context_only(vault: VaultDouble) -> None:
    provider = vault.provider()
    wrapped = await provider.wrap(SECRET, CONTEXT)
    assert wrapped.startswith(b"vault:v1:")
    assert await provider.unwrap(wrapped, dict(reversed(list(CONTEXT.items())))) == SECRET
    for context in ({}, {**CONTEXT, "purpose": "jwt_signing"}, {**CONTEXT, "more": ""}):
        with pytest.raises(KeyProviderError, match="authentication failed"):
            await provider.unwrap(wrapped, context)


async def test_a_vault_that_binds_nothing_is_refused(vault: VaultDouble) -> None:
    vault.knows_associated_data = False
    with pytest.raises(KeyProviderError, match=r"1\.13"):
        await vault.provider().wrap(SECRET, CONTEXT)


async def test_noise_does_not_open(vault: VaultDouble) -> None:
    for noise in (b"", b"vault:v1:", b"vault:v9:AAAA", b"\xff\x00"):
        with pytest.raises(KeyProviderError):
            await vault.provider().unwrap(noise, CONTEXT)


async def test_older_versions_of_the_transit_key_open(vault: VaultDouble) -> None:
    provider = vault.provider()
    before = await provider.wrap(SECRET, CONTEXT)
    vault.rotate()
    assert await provider.unwrap(before, CONTEXT) == SECRET
    assert (await provider.wrap(SECRET, CONTEXT)).startswith(b"vault:v2:")


async def test_a_renewed_token_is_read_again(vault: VaultDouble) -> None:
    provider = vault.provider()
    wrapped = await provider.wrap(SECRET, CONTEXT)
    vault.token = "hvs.second"
    with pytest.raises(KeyProviderError, match="permission denied"):
        await provider.unwrap(wrapped, CONTEXT)
    vault.token_file.write_text("hvs.second\n")
    assert await provider.unwrap(wrapped, CONTEXT) == SECRET
    vault.token_file.unlink()
    with pytest.raises(KeyProviderError, match="token file"):
        await provider.unwrap(wrapped, CONTEXT)


async def test_sealed_and_away_are_outages_and_both_pass(tmp_path: Path) -> None:
    with running(VaultDouble(tmp_path / "token")) as vault:
        provider = vault.provider()
        wrapped = await provider.wrap(SECRET, CONTEXT)
        vault.sealed = True
        with pytest.raises(KeyProviderUnavailable, match="sealed"):
            await provider.unwrap(wrapped, CONTEXT)
        vault.sealed = False
    with pytest.raises(KeyProviderUnavailable, match="does not answer"):
        await provider.unwrap(wrapped, CONTEXT)
    with running(vault):
        assert await provider.unwrap(wrapped, CONTEXT) == SECRET


@pytest.mark.parametrize("name", ["addr", "token_file", "transit_key"])
def test_what_is_missing_is_named(name: str) -> None:
    given = {"addr": "http://127.0.0.1:1", "token_file": "/t", "transit_key": "k", name: None}
    with pytest.raises(SettingMissing, match=f"DOCSHARD_VAULT_{name.upper()}"):
        VaultTransitProvider(VaultSettings.model_validate(given))
