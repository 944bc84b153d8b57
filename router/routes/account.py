"""The own account: second factor and password; and links by which others get theirs."""

from typing import Any

from starlette.responses import Response

from router import headers
from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import identity_examples as examples
from router.models.identity import (
    CodeGiven,
    EnrolmentShown,
    LinkGiven,
    LinkShown,
    PasswordGiven,
    RecoveryCodesShown,
)
from router.parameters import IdempotencyKey, UserId
from router.routes.replies import UNAVAILABLE
from router.security import Everywhere, Person, Public
from services.access import own_password, password_links, second_factor
from services.access.password_links import ShownLink
from services.access.second_factor import Enrolment

api = Api("Getting in")


@api.route(
    "POST",
    "/v1/auth/mfa",
    Person(),
    Doc(
        (Answer(201, "To be confirmed.", EnrolmentShown, examples.ENROLMENT),),
        refusals=("login_too_old", "conflict", *UNAVAILABLE),
    ),
)
async def enrol_mfa(call: Call) -> Enrolment:
    """Begin to set up a second factor: put the secret into an authenticator app, then confirm.

    Needs a login of the last ten minutes.
    """
    return await second_factor.enrol(call.resources, call.own)


@api.route(
    "POST",
    "/v1/auth/mfa/confirm",
    Person(),
    Doc(
        (Answer(200, "In force.", RecoveryCodesShown, examples.RECOVERY_CODES),),
        refusals=("conflict", *UNAVAILABLE),
    ),
)
async def confirm_mfa(call: Call, body: CodeGiven) -> dict[str, Any]:
    """Put the second factor in force by a code of it; other sessions end.

    Answers ten recovery codes, only now.
    """
    codes = await second_factor.confirm(call.resources, call.own, body.totp)
    return {"recovery_codes": codes}


@api.route(
    "DELETE",
    "/v1/auth/mfa",
    Person(),
    Doc(
        (Answer(204, "Removed, with its recovery codes."),),
        refusals=("login_too_old", "not_found", *UNAVAILABLE),
    ),
)
async def remove_mfa(call: Call) -> Response:
    """Remove the second factor. Needs a login of the last ten minutes."""
    await second_factor.remove(call.resources, call.own)
    return Response(status_code=204)


@api.route(
    "POST",
    "/v1/auth/password",
    Person(),
    Doc((Answer(204, "Changed."),), refusals=("invalid_credentials", *UNAVAILABLE)),
)
async def change_password(call: Call, body: PasswordGiven) -> Response:
    """Change the own password; other sessions end.

    At least 12 characters, at most 1024 bytes, none of the common ones, and without the name in the
    e-mail address.
    """
    await own_password.change(call.resources, call.own, body.current_password, body.new_password)
    return Response(status_code=204)


@api.route(
    "POST",
    "/v1/users/{user_id}/password-link",
    Everywhere("user:edit"),
    Doc(
        (Answer(201, "The token, shown only now.", LinkShown, examples.LINK),),
        refusals=(
            *("not_found", "idempotency_mismatch", "idempotency_in_progress"),
            *("secret_already_shown", *UNAVAILABLE),
        ),
    ),
)
async def create_password_link(
    call: Call, user_id: UserId, idempotency_key: IdempotencyKey = None
) -> ShownLink:
    """Make a one-time token by which a user sets a first or forgotten password, within 24 hours.

    It takes the place of an earlier one, and is made only for who may do no more than the caller.
    """
    key = headers.idempotency_key(idempotency_key)
    return await password_links.make(call.resources, call.everywhere, user_id, key)


@api.route(
    "POST",
    "/v1/auth/password-link",
    Public(),
    Doc((Answer(204, "Set: log in with it."),), refusals=("unauthenticated", *UNAVAILABLE)),
)
async def redeem_password_link(call: Call, body: LinkGiven) -> Response:
    """Set a password by a one-time token; all sessions of the user end.

    A second factor stays as it is.
    """
    await password_links.redeem(call.resources, body.token, body.password, call.origin())
    return Response(status_code=204)
