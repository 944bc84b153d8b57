"""Headers and path parameters that several routes take."""

from typing import Annotated

from fastapi import Header, Path

from router.models import examples, people_examples
from router.models.fields import Id, VersionNumber

ClientId = Annotated[Id, Path(examples=[examples.CLIENT_ID])]
DocumentId = Annotated[Id, Path(examples=[examples.DOCUMENT_ID])]
UserId = Annotated[Id, Path(examples=[examples.USER_ID])]
RoleId = Annotated[Id, Path(examples=[people_examples.ROLE_ID])]
GrantId = Annotated[Id, Path(examples=[people_examples.GRANT_ID])]
KeyId = Annotated[Id, Path(examples=[examples.KEY_ID])]
Number = Annotated[VersionNumber, Path(description="The version's number, from 1.", examples=[1])]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 255 printable ASCII characters. The first outcome is kept for 24 hours "
        "and answered again.",
        examples=["5d3c9a0e-import-17"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="The ETag that was read, or *.", examples=['"3"']),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="ETags that the caller has: 304 when one is current.",
        examples=['"3"'],
    ),
]
