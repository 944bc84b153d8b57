"""Getting in, and who one is."""

from uuid import UUID

from docshard_client.call import Call, json_as, nothing
from docshard_client.exchange import refreshing
from docshard_client.models import Jwks, Login, Me, MfaEnrolment, PasswordLink, RecoveryCodes
from docshard_client.operation import operation
from docshard_client.parameters import once, present


class Access:
    """Sessions, second factors, passwords."""

    @operation
    def login(
        self,
        email: str,
        password: str,
        totp: str | None = None,
        *,
        recovery_code: str | None = None,
    ) -> Call[Login]:
        """Log a person in. Later calls of this object are theirs, and it renews their tokens.

        Unauthenticated `mfa_required`: call again with `totp`, or a `recovery_code` in its place.
        """
        body = present(email=email, password=password, totp=totp, recovery_code=recovery_code)
        return Call("POST", "/v1/auth/login", json_as(Login), body=body, anonymous=True)

    @operation
    def refresh(self, refresh_token: str) -> Call[Login]:
        """Go on with a session whose refresh token was kept. It is spent by this.

        Who has logged in needs no call of this: tokens are renewed as they end.
        """
        return refreshing(refresh_token)

    @operation
    def logout(self) -> Call[None]:
        """End the session; this object calls as nobody then."""
        return Call("POST", "/v1/auth/logout", nothing, ends_session=True)

    @operation
    def get_me(self) -> Call[Me]:
        """Who is calling, and what they may do."""
        return Call("GET", "/v1/me", json_as(Me))

    @operation
    def get_jwks(self) -> Call[Jwks]:
        """Read the public keys that verify access tokens."""
        return Call("GET", "/.well-known/jwks.json", json_as(Jwks), anonymous=True)

    @operation
    def enrol_mfa(self) -> Call[MfaEnrolment]:
        """Begin a second factor: give the secret to an authenticator app, then confirm_mfa."""
        return Call("POST", "/v1/auth/mfa", json_as(MfaEnrolment))

    @operation
    def confirm_mfa(self, totp: str) -> Call[RecoveryCodes]:
        """Put the second factor in force. The recovery codes are shown this once."""
        body = present(totp=totp)
        return Call("POST", "/v1/auth/mfa/confirm", json_as(RecoveryCodes), body=body)

    @operation
    def remove_mfa(self) -> Call[None]:
        """Give the second factor up. Needs a recent login."""
        return Call("DELETE", "/v1/auth/mfa", nothing)

    @operation
    def change_password(self, current_password: str, new_password: str) -> Call[None]:
        """Change one's own password; one's other sessions end."""
        body = present(current_password=current_password, new_password=new_password)
        return Call("POST", "/v1/auth/password", nothing, body=body)

    @operation
    def create_password_link(
        self, user_id: UUID, *, idempotency_key: str | None = None
    ) -> Call[PasswordLink]:
        """Make the token with which a user sets a first or forgotten password, once."""
        path, headers = f"/v1/users/{user_id}/password-link", once(idempotency_key)
        return Call("POST", path, json_as(PasswordLink), headers=headers)

    @operation
    def redeem_password_link(self, token: str, password: str) -> Call[None]:
        """Set a password by such a token."""
        body = present(token=token, password=password)
        return Call("POST", "/v1/auth/password-link", nothing, body=body, anonymous=True)
