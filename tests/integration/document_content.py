"""Steps of a history that bring content: through the router, and straight to the object store."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, multiple, rule

from tests.integration.document_machine import (
    CONTENTS,
    FAILURES,
    MATCHES,
    WHO,
    Asked,
    DocumentMachine,
)
from tests.integration.document_model import ABSENT, MISSING, Content, Document, Upload
from tests.integration.document_world import Planned


class ContentMachine(DocumentMachine):
    """Versions, uploads and promotions."""

    documents = DocumentMachine.documents
    uploads = Bundle("uploads")

    @rule(document=documents, who=WHO, content=CONTENTS, planned=FAILURES)
    def put(self, document: Document, who: int, content: Content, planned: Planned | None) -> None:
        def applied(body: dict[str, Any]) -> str:
            document.add(content)
            assert body.get("version_number", len(document.versions)) == len(document.versions)
            return "version.create"

        sent = {"content": content.data, "headers": {"Content-Type": content.mime_type}}
        self.change(document, (who, "PUT", "/content", sent), document.living(), applied, planned)

    @rule(document=documents, who=WHO, match=MATCHES, number=st.integers(1, 3), planned=FAILURES)
    def promote(
        self, document: Document, who: int, match: str, number: int, planned: Planned | None
    ) -> None:
        old = document.versions[number - 1 : number]
        refusal = document.matched(match) or (None if old else ABSENT)

        def applied(body: dict[str, Any]) -> str:
            document.add(old[0])
            assert body["version_number"] == len(document.versions)
            return "version.create"

        headers = {**self.match(document, match), "Idempotency-Key": self.world.request_id()}
        if match == MISSING and not old:
            return  # what is missing twice may be told of in either order
        asked: Asked = (who, "POST", f"/versions/{number}/promote", {"headers": headers})
        self.change(document, asked, refusal, applied, planned, repeatable=True)

    @rule(target=uploads, document=documents, who=WHO, content=CONTENTS, planned=FAILURES)
    def upload(
        self, document: Document, who: int, content: Content, planned: Planned | None
    ) -> Any:
        granted: list[Upload] = []

        def applied(body: dict[str, Any]) -> str:
            granted.append(Upload(document, body["upload_id"], content, body["upload"]))
            return ""

        body = {
            "size": len(content.data),
            "checksum_sha256": content.sha256,
            "mime_type": content.mime_type,
        }
        sent = {"json": body, "headers": {"Idempotency-Key": self.world.request_id()}}
        asked: Asked = (who, "POST", "/uploads", sent)
        self.change(document, asked, document.living(), applied, planned, repeatable=True)
        return multiple(*granted)

    @rule(upload=uploads)
    def send(self, upload: Upload) -> None:
        """The address that was given stays good, whatever became of the upload."""
        if upload.state == "open":
            request = upload.request
            answer = self.world.run(
                self.world.wired.outside.put(
                    request["url"], headers=request["headers"], content=upload.content.data
                )
            )
            assert answer.status_code == 200, answer.text
            upload.sent = True

    @rule(upload=uploads, who=WHO, planned=FAILURES)
    def complete(self, upload: Upload, who: int, planned: Planned | None) -> None:
        def applied(body: dict[str, Any]) -> str:
            if upload.state == "done":
                assert body["version_number"] == upload.number
                return ""
            upload.document.add(upload.content)
            upload.state, upload.number = "done", len(upload.document.versions)
            assert (body["id"], body["version_number"]) == (upload.id, upload.number)
            return "version.create"

        asked: Asked = (who, "POST", f"/uploads/{upload.id}/complete", {})
        self.change(upload.document, asked, upload.completing(), applied, planned, repeatable=True)

    @rule(upload=uploads, who=WHO, planned=FAILURES)
    def abort(self, upload: Upload, who: int, planned: Planned | None) -> None:
        def applied(_: dict[str, Any]) -> str:
            upload.state = "aborted"
            return ""

        asked: Asked = (who, "DELETE", f"/uploads/{upload.id}", {})
        self.change(upload.document, asked, upload.aborting(), applied, planned, repeatable=True)
