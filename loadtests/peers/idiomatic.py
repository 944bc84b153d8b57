"""The same service as most people write it: FastAPI, SQLAlchemy's ORM on asyncpg, pydantic.

In the manner of FastAPI's own template for full-stack applications: a dependency for the session,
one that decodes the bearer token (HS256) and loads its user, response models.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from ipaddress import IPv4Address
from typing import Annotated, Any
from uuid import UUID

import jwt
import uuid_utils.compat as uuid_utils
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, field_serializer
from sqlalchemy import DateTime, func, select
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtests.peers.serving import CONNECTIONS, Surroundings, serve

ALGORITHM = "HS256"
_SCHEMA = {"schema": "docshard"}
_MOMENT = DateTime(timezone=True)


class Base(DeclarativeBase):
    """Of all tables."""


class User(Base):
    """Who may call, and for which client."""

    __tablename__ = "peer_users"
    __table_args__ = _SCHEMA

    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[UUID]
    email: Mapped[str]
    is_active: Mapped[bool]


class Document(Base):
    """A document; `metadata` is a name that the ORM keeps for itself."""

    __tablename__ = "peer_documents"
    __table_args__ = _SCHEMA

    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid_utils.uuid7)
    original_name: Mapped[str]
    s3_key: Mapped[str | None]
    mime_type: Mapped[str]
    current_version: Mapped[int] = mapped_column(default=0)
    size: Mapped[int | None]
    checksum_sha256: Mapped[bytes | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, default=dict)
    row_version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(_MOMENT, server_default=func.now())
    created_by: Mapped[UUID]
    updated_at: Mapped[datetime] = mapped_column(_MOMENT, server_default=func.now())
    deleted_at: Mapped[datetime | None] = mapped_column(_MOMENT)
    legal_hold: Mapped[bool] = mapped_column(default=False)
    retain_until: Mapped[datetime | None] = mapped_column(_MOMENT)


class AuditLog(Base):
    """What was changed, by whom."""

    __tablename__ = "peer_audit_logs"
    __table_args__ = _SCHEMA

    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(
        _MOMENT, server_default=func.now(), primary_key=True
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid_utils.uuid7)
    user_id: Mapped[UUID]
    api_key_id: Mapped[UUID | None]
    action: Mapped[str]
    entity_type: Mapped[str]
    entity_id: Mapped[UUID]
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    ip_address: Mapped[str | None] = mapped_column(INET)
    request_id: Mapped[str | None]


class DocumentIn(BaseModel):
    """A new document."""

    original_name: str = Field(min_length=1, max_length=255)
    mime_type: str
    metadata: dict[str, Any] = Field(default_factory=dict)


class DocumentOut(BaseModel):
    """A document as callers get it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    client_id: UUID
    original_name: str
    mime_type: str
    current_version: int
    size: int | None
    checksum_sha256: bytes | None
    metadata: dict[str, Any] = Field(validation_alias="metadata_")
    created_at: datetime
    created_by: UUID
    updated_at: datetime
    deleted_at: datetime | None
    legal_hold: bool
    retain_until: datetime | None

    @field_serializer("checksum_sha256")
    def _as_digits(self, value: bytes | None) -> str | None:
        return None if value is None else value.hex()


class PageOut(BaseModel):
    """A page of documents."""

    items: list[DocumentOut]
    next_cursor: str | None


bearer = HTTPBearer()


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """A session for the length of a request."""
    async with request.app.state.sessions() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]


async def get_current_user(
    request: Request,
    session: SessionDep,
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)],
) -> User:
    """Who comes with the token."""
    try:
        token = jwt.decode(credentials.credentials, request.app.state.secret, [ALGORITHM])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "Could not validate credentials") from error
    user = await session.get(User, UUID(token["sub"]))
    if user is None or not user.is_active:
        raise HTTPException(401, "Could not validate credentials")
    return user


UserDep = Annotated[User, Depends(get_current_user)]


async def get_tenant(client_id: UUID, user: UserDep) -> UUID:
    """The client in the path, if it is the user's."""
    if user.client_id != client_id:
        raise HTTPException(404, "Not found")
    return client_id


TenantDep = Annotated[UUID, Depends(get_tenant)]


async def get_document(document_id: UUID, tenant: TenantDep, session: SessionDep) -> Document:
    """Read a document."""
    query = select(Document).where(
        Document.client_id == tenant, Document.id == document_id, Document.deleted_at.is_(None)
    )
    document = (await session.scalars(query)).one_or_none()
    if document is None:
        raise HTTPException(404, "Not found")
    return document


async def list_documents(
    tenant: TenantDep, session: SessionDep, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> dict[str, Any]:
    """The newest documents."""
    query = (
        select(Document)
        .where(Document.client_id == tenant, Document.deleted_at.is_(None))
        .order_by(Document.created_at.desc(), Document.id.desc())
        .limit(limit + 1)
    )
    found = (await session.scalars(query)).all()
    page, following = found[:limit], None
    if len(found) > limit:
        following = f"{page[-1].created_at.isoformat()},{page[-1].id}"
    return {"items": page, "next_cursor": following}


async def create_document(
    request: Request, body: DocumentIn, tenant: TenantDep, user: UserDep, session: SessionDep
) -> Document:
    """Make a document, and tell of it in the audit log."""
    document = Document(
        client_id=tenant,
        id=uuid_utils.uuid7(),
        original_name=body.original_name,
        mime_type=body.mime_type,
        metadata_=body.metadata,
        created_by=user.id,
    )
    session.add(document)
    await session.flush()
    session.add(_audit_row(request, user, document))
    await session.commit()
    return document


def _audit_row(request: Request, user: User, document: Document) -> AuditLog:
    after = {
        "original_name": document.original_name,
        "mime_type": document.mime_type,
        "current_version": document.current_version,
        "size": document.size,
        "checksum_sha256": None,
        "metadata": document.metadata_,
        "legal_hold": document.legal_hold,
        "retain_until": None,
        "deleted_at": None,
    }
    return AuditLog(
        client_id=document.client_id,
        user_id=user.id,
        api_key_id=user.id,
        action="document.create",
        entity_type="document",
        entity_id=document.id,
        changes={"before": None, "after": after},
        ip_address=None if request.client is None else IPv4Address(request.client.host),
        request_id=str(document.id),
    )


def app(database: str, secret: str) -> FastAPI:
    """The application on this database."""
    engine = create_async_engine(
        database.replace("postgresql://", "postgresql+asyncpg://"),
        pool_size=CONNECTIONS,
        max_overflow=0,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    made = FastAPI(lifespan=lifespan)
    made.state.secret = secret
    made.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    documents = "/v1/clients/{client_id}/documents"
    one = f"{documents}/{{document_id}}"
    made.get(one, response_model=DocumentOut)(get_document)
    made.get(documents, response_model=PageOut)(list_documents)
    made.post(documents, response_model=DocumentOut, status_code=201)(create_document)
    return made


if __name__ == "__main__":
    told = Surroundings.told()
    serve(app(told.database, told.secret), told.port)
