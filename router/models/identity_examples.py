"""Examples of getting in, for the API description."""

from typing import Any, Final

from router.models.examples import CLIENT_ID, KEY_ID, NOON, USER_ID

Json = dict[str, Any]

SESSION_ID: Final = "01983f5e-7777-7d2b-9a4e-0c5b7d1e2f36"

LOGIN_GIVEN: Final[Json] = {
    "email": "ada@example.org",
    "password": "correct horse battery",
    "totp": "492039",
}
LOGIN: Final[Json] = {
    "access_token": "eyJhbGciOiJFZERTQSJ9.…",
    "token_type": "Bearer",
    "expires_in": 600,
    "refresh_token": "dsr_…",
}
REFRESH_GIVEN: Final[Json] = {"refresh_token": "dsr_…"}
ENROLMENT: Final[Json] = {
    "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "otpauth_uri": "otpauth://totp/docshard:ada%40example.org?secret=JBSWY3DP…&issuer=docshard",
}
CODE_GIVEN: Final[Json] = {"totp": "492039"}
RECOVERY_CODES: Final[Json] = {"recovery_codes": ["MFRG-GZDF-MZTW-Q2LK"]}
PASSWORD_GIVEN: Final[Json] = {
    "current_password": "correct horse battery",
    "new_password": "staple of eleven horses",
}
LINK: Final[Json] = {"token": "dsl_…", "expires_at": NOON}
LINK_GIVEN: Final[Json] = {"token": "dsl_…", "password": "staple of eleven horses"}
ME: Final[Json] = {
    "principal": {"kind": "user", "id": USER_ID},
    "user_id": USER_ID,
    "api_key_id": None,
    "session": {"id": SESSION_ID, "logged_in_at": NOON, "must_enrol_mfa": False},
    "grants": [{"role": "viewer", "client_id": CLIENT_ID, "permissions": ["document:read"]}],
}
JWKS: Final[Json] = {
    "keys": [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": KEY_ID,
            "use": "sig",
            "alg": "EdDSA",
        }
    ]
}
