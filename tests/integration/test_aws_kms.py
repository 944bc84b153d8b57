"""Data keys wrapped by a KMS: bound to key and context, and clear words when it is away."""

import signal

import pytest

from services.key_settings import KmsSettings
from services.keys.aws_kms import AwsKmsProvider
from services.keys.provider import KeyProviderError, KeyProviderUnavailable
from services.settings import SettingMissing
from tests.integration.kms import Kms

SECRET = b"k" * 32
CONTEXT = {"service": "docshard", "purpose": "field_encryption", "key_id": "1"}


async def test_a_wrapped_key_opens_again(kms: Kms) -> None:
    provider = kms.provider()
    wrapped = await provider.wrap(SECRET, CONTEXT)
    assert SECRET not in wrapped
    assert await provider.unwrap(wrapped, dict(reversed(list(CONTEXT.items())))) == SECRET


@pytest.mark.parametrize(
    "context",
    [
        {},
        {**CONTEXT, "purpose": "jwt_signing"},
        {**CONTEXT, "more": ""},
        {"service": "docshard", "purpose": "field_encryption"},
        {"service": "docshardpurposefield_encryption", "key_id": "1"},
    ],
)
async def test_no_other_context_opens_it(kms: Kms, context: dict[str, str]) -> None:
    provider = kms.provider()
    wrapped = await provider.wrap(SECRET, CONTEXT)
    with pytest.raises(KeyProviderError, match="InvalidCiphertext"):
        await provider.unwrap(wrapped, context)


async def test_changed_bytes_do_not_open(kms: Kms) -> None:
    provider = kms.provider()
    wrapped = bytearray(await provider.wrap(SECRET, CONTEXT))
    wrapped[-1] ^= 1
    with pytest.raises(KeyProviderError):
        await provider.unwrap(bytes(wrapped), CONTEXT)
    with pytest.raises(KeyProviderError):
        await provider.unwrap(b"noise", CONTEXT)


async def test_a_key_of_somebody_elses_is_refused(kms: Kms) -> None:
    """Whoever may write to our database could bring keys that he has wrapped himself."""
    theirs = await kms.provider(kms.another_key()).wrap(SECRET, CONTEXT)
    with pytest.raises(KeyProviderError, match="IncorrectKey"):
        await kms.provider().unwrap(theirs, CONTEXT)


async def test_an_absent_or_disabled_key_is_told_by_name(kms: Kms) -> None:
    absent = kms.provider("00000000-0000-0000-0000-000000000000")
    with pytest.raises(KeyProviderError, match="NotFound"):
        await absent.wrap(SECRET, CONTEXT)
    kms.keys.put(kms.key_id, SECRET, enabled=False)
    with pytest.raises(KeyProviderError, match="Disabled") as refusal:
        await kms.provider().wrap(SECRET, CONTEXT)
    assert not isinstance(refusal.value, KeyProviderUnavailable)


async def test_a_wrong_secret_is_refused(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a wrong one")
    with pytest.raises(KeyProviderError, match="InvalidSignature"):
        await kms.provider().wrap(SECRET, CONTEXT)


async def test_without_an_identity_nothing_is_asked(
    kms: Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with pytest.raises(KeyProviderError, match="credentials"):
        await kms.provider().wrap(SECRET, CONTEXT)


async def test_away_and_silent_are_outages_and_both_pass(kms: Kms) -> None:
    provider = kms.provider()
    wrapped = await provider.wrap(SECRET, CONTEXT)

    kms.send(signal.SIGSTOP)
    with pytest.raises(KeyProviderUnavailable):
        await provider.unwrap(wrapped, CONTEXT)
    kms.send(signal.SIGCONT)
    assert await provider.unwrap(wrapped, CONTEXT) == SECRET

    kms.kill()
    with pytest.raises(KeyProviderUnavailable, match="does not answer"):
        await provider.unwrap(wrapped, CONTEXT)
    kms.start()
    assert await provider.unwrap(wrapped, CONTEXT) == SECRET


def test_a_key_must_be_named() -> None:
    with pytest.raises(SettingMissing, match="DOCSHARD_KMS_KEY_ID"):
        AwsKmsProvider(KmsSettings())
