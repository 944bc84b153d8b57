"""Encrypted fields as services use them: sealed for their place, found by their blind index."""

from typing import Literal
from uuid import UUID

from services.keys.blind_index import blind_index, canonical_email, canonical_mobile
from services.keys.envelope import FieldPlace, SealBroken, key_id, seal, unseal
from services.keys.keyring import Keyring
from services.keys.material import Purpose

__all__ = ["FieldPlace", "Fields", "SealBroken", "user_field"]

UserColumn = Literal["email", "mobile", "mfa_secret"]


def user_field(column: UserColumn, user_id: UUID) -> FieldPlace:
    """The place of a user's encrypted field."""
    return FieldPlace("users", column, user_id)


class Fields:
    """Seals with the newest key of the ring, opens with whichever sealed."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def seal(self, place: FieldPlace, text: str) -> bytes:
        """Encrypt a text for its place.

        Raises:
            KeysUnavailable.
        """
        return seal(self._keyring.current(Purpose.FIELD_ENCRYPTION), place, text.encode())

    async def unseal(self, place: FieldPlace, sealed: bytes) -> str:
        """Decrypt what was sealed for this place.

        Raises:
            SealBroken: damaged, moved from its place, or its key is lost.
            KeysUnavailable: its key cannot be fetched at present.
        """
        return (await self._open(place, sealed)).decode()

    async def reseal(self, place: FieldPlace, sealed: bytes) -> bytes:
        """Encrypt the same value for the same place with the key in use.

        Raises:
            SealBroken, KeysUnavailable: as `unseal`.
        """
        plain = await self._open(place, sealed)
        return seal(self._keyring.current(Purpose.FIELD_ENCRYPTION), place, plain)

    async def _open(self, place: FieldPlace, sealed: bytes) -> bytes:
        key = await self._keyring.find(key_id(sealed))
        if key is None or key.purpose is not Purpose.FIELD_ENCRYPTION:
            raise SealBroken("sealed with an unknown key")
        return unseal(key, place, sealed)

    def email_index(self, email: str) -> bytes:
        """Give the 32 bytes by which an e-mail address is found, however it is spelt.

        Raises:
            ValueError: not an e-mail address.
            KeysUnavailable.
        """
        key = self._keyring.current(Purpose.BLIND_INDEX_EMAIL)
        return blind_index(key, canonical_email(email))

    def mobile_index(self, mobile: str) -> bytes:
        """Give the 32 bytes by which a telephone number is found, however it is grouped.

        Raises:
            ValueError: not a telephone number with its country code.
            KeysUnavailable.
        """
        key = self._keyring.current(Purpose.BLIND_INDEX_MOBILE)
        return blind_index(key, canonical_mobile(mobile))
