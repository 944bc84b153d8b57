"""What tenants' programs call, and what a right answer is: the same for both models.

An operation is a function of a `Desk`; `OPERATIONS` names them for the scenarios' mixes.
"""

from collections.abc import Callable, Mapping
from typing import Final

from loadtests.calls import reads, uploads, writes
from loadtests.calls.desk import Desk

OPERATIONS: Final[Mapping[str, Callable[[Desk], None]]] = {
    "get document": reads.get_document,
    "list documents": reads.list_documents,
    "search documents": reads.search_documents,
    "list audit logs": reads.list_audit_logs,
    "get content, proxied": reads.get_content_through_the_router,
    "get content, address": reads.get_content_from_storage,
    "create document": writes.create_document,
    "update document": writes.update_document,
    "put content": writes.put_content,
    "delete document": writes.delete_document,
    "upload": uploads.upload,
}
