"""Every operation of the service, each declared once; the names are its operationIds.

What a method takes is what the operation takes: its path, query and body members by their own
names, `etag` for If-Match and `idempotency_key` for the header of that name.
"""

from docshard_client.operations.access import Access
from docshard_client.operations.audit_logs import AuditLogs
from docshard_client.operations.clients import Clients
from docshard_client.operations.content import Content
from docshard_client.operations.documents import Documents
from docshard_client.operations.people import People
from docshard_client.operations.roles import Roles


class Operations(Access, AuditLogs, Clients, Content, Documents, People, Roles):
    """All of them."""
