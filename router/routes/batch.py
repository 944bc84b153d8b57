"""Many changes of documents in one request."""

from typing import Any, Final

from router import headers
from router.answers import Answer
from router.api import Api, Doc
from router.call import Call
from router.models import upload_examples
from router.models.uploads import (
    BatchGiven,
    BatchShown,
    CreateGiven,
    DeleteGiven,
    OperationGiven,
    UpdateGiven,
)
from router.parameters import ClientId, IdempotencyKey
from router.problems import STATUS, problem_document
from router.routes.documents import DOCUMENTS, patch_of
from router.routes.replies import CONSISTENCY_TOKEN, etag, precondition
from router.security import Tenant
from services.committed import Committed
from services.tenant import batch
from services.tenant.batch import Batch, Create, Delete, Operation, Outcome, Restore, Update
from services.tenant.documents import NewDocument

api = Api("Documents")

_DONE: Final = {Create: 201, Update: 200, Delete: 204, Restore: 200}


@api.route(
    "POST",
    f"{DOCUMENTS}:batch",
    Tenant("document:write"),
    Doc(
        (
            Answer(
                200,
                "A result for each operation.",
                BatchShown,
                upload_examples.BATCH,
                headers=CONSISTENCY_TOKEN,
            ),
        ),
    ),
)
async def batch_documents(
    call: Call, client_id: ClientId, body: BatchGiven, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Create, change, delete and restore up to a hundred documents.

    Each operation is a transaction of its own: it is done or refused whatever becomes of the
    others, and its result has the status that it would have had alone. Operations on one document
    are done in their order. Deleting and restoring need document:delete. With an Idempotency-Key a
    batch that is sent again creates nothing twice.
    """
    operations = [_operation(one) for one in body.operations]
    asked = Batch(operations, headers.idempotency_key(idempotency_key))
    outcomes = await batch.run(call.resources, call.tenant, asked)
    token = await batch.latest_token(call.resources, client_id, outcomes)
    if token is not None:
        call.context.answer_with("Consistency-Token", token)
    pairs = enumerate(zip(operations, outcomes, strict=True))
    return {"results": [_result(call, place, *pair) for place, pair in pairs]}


def _operation(given: OperationGiven) -> Operation:
    if isinstance(given, CreateGiven):
        return Create(NewDocument(given.original_name, given.mime_type, given.metadata))
    if isinstance(given, UpdateGiven):
        return Update(given.document_id, patch_of(given), precondition(given.if_match))
    if isinstance(given, DeleteGiven):
        return Delete(given.document_id, precondition(given.if_match))
    return Restore(given.document_id)


def _result(call: Call, place: int, operation: Operation, outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Committed):
        document = outcome.value
        return {
            "status": _DONE[type(operation)],
            "etag": etag(document),
            "document": document,
            "error": None,
        }
    path = call.scope["raw_path"].decode("ascii", "replace")
    instance = f"{path}#/operations/{place}"
    error = problem_document(outcome, instance, call.context.request_id)
    return {"status": STATUS[outcome.code], "etag": None, "document": None, "error": error}
