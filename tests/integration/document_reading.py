"""Steps of a history that change nothing: reading, lists, and what strangers see."""

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.integration.document_content import ContentMachine
from tests.integration.document_machine import TYPES, WHO, WORDS
from tests.integration.document_model import Document
from tests.integration.document_world import refused

SORTS = (
    "created_at",
    "-created_at",
    "original_name",
    "-original_name",
    "updated_at",
    "-updated_at",
)
FILTERS = st.fixed_dictionaries(
    {"limit": st.integers(1, 3)},
    optional={
        "q": st.sampled_from(WORDS),
        "mime_type": TYPES,
        "metadata": st.builds(lambda name, n: {name: n}, st.sampled_from("ab"), st.integers(0, 2)),
        "deleted": st.sampled_from(["include", "only"]),
        "sort": st.sampled_from(SORTS),
    },
)


class ReadingMachine(ContentMachine):
    """Every way to read, compared with the model."""

    documents = ContentMachine.documents

    @rule(document=documents, who=WHO, first=st.integers(0, 3), last=st.integers(0, 9))
    def read(self, document: Document, who: int, first: int, last: int) -> None:
        """HEAD, 304, and each version's bytes, whole and in part (I8)."""
        client, path = self.of(document), self.of(document).path(document)
        _, head = self.call(client, who, "HEAD", path)
        _, known = self.call(client, who, "GET", path, headers={"If-None-Match": document.etag})
        if document.living():
            assert (head.status_code, known.status_code) == (404, 404)
            return
        assert (head.status_code, head.headers["ETag"], known.status_code) == (
            200,
            document.etag,
            304,
        )
        _, listed = self.call(client, who, "GET", f"{path}/versions", params={"limit": 200})
        told = [
            (one["version_number"], one["checksum_sha256"], one["mime_type"])
            for one in listed.json()["items"]
        ]
        wanted = [(n, one.sha256, one.mime_type) for n, one in enumerate(document.versions, 1)]
        assert told == wanted[::-1]
        if document.newest is None:
            refused(self.call(client, who, "GET", f"{path}/content")[1], (409, "no_content"))
            return
        for number, content in enumerate(document.versions, 1):
            self.given(document, who, f"/versions/{number}/content", content.data, {})
        if first < len(document.newest.data) and first <= last:
            part = document.newest.data[first : last + 1]
            self.given(document, who, "/content", part, {"Range": f"bytes={first}-{last}"})

    def given(
        self, document: Document, who: int, below: str, data: bytes, headers: dict[str, str]
    ) -> None:
        client = self.of(document)
        request_id, answer = self.call(
            client,
            who,
            "GET",
            f"{client.path(document)}{below}",
            params={"proxy": "true"},
            headers=headers,
        )
        assert (answer.status_code, answer.content) == (206 if headers else 200, data), answer.text
        document.reads.append(request_id)

    @rule(at=st.integers(0, 2), who=WHO, asked=FILTERS)
    def pages(self, at: int, who: int, asked: dict[str, Any]) -> None:
        """Every document that fits, once, in order, as it is; nobody else's (I4)."""
        client = self.clients[at]
        params = asked | (
            {"metadata": json.dumps(asked["metadata"])} if "metadata" in asked else {}
        )
        found: list[dict[str, Any]] = []
        while True:
            _, answer = self.call(client, who, "GET", client.documents, params=params)
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            if answer.json()["next_cursor"] is None:
                break
            params = params | {"cursor": answer.json()["next_cursor"]}
        wanted = [one.shown for one in self.living[client.id] if fits(one, asked)]
        assert sorted(found, key=_id) == sorted(wanted, key=_id), (asked, found, wanted)
        sort = asked.get("sort", None if "q" in asked else "-created_at")
        if sort is not None:
            keys = [one[sort.removeprefix("-")] for one in found]
            assert keys == sorted(keys, reverse=sort.startswith("-"))

    @rule(document=documents, stranger=st.integers(0, 2), who=WHO)
    def strangers(self, document: Document, stranger: int, who: int) -> None:
        """I4: another tenant's document, under either address, is absent."""
        client, owner = self.clients[stranger], self.of(document)
        if client is owner:
            return
        for path in (owner.path(document), client.path(document)):
            for method, below in (
                ("GET", "?deleted=include"),
                ("PUT", "/content"),
                ("PATCH", ""),
                ("DELETE", ""),
                ("POST", "/restore"),
                ("GET", "/versions"),
                ("GET", "/content"),
                ("POST", "/versions/1/promote"),
            ):
                sent: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
                _, answer = self.call(
                    client, who, method, f"{path}{below}", headers={"If-Match": "*"}, **sent
                )
                refused(answer, (404, "not_found"))


def fits(document: Document, asked: dict[str, Any]) -> bool:
    """Whether a list with these filters has to hold the document."""
    deleted = {"only": document.deleted, "include": True}.get(
        asked.get("deleted", ""), not document.deleted
    )
    return (
        not document.purged
        and deleted
        and asked.get("q", "") in document.name
        and asked.get("mime_type", document.mime_type) == document.mime_type
        and asked.get("metadata", {}).items() <= document.metadata.items()
    )


def _id(shown: dict[str, Any]) -> str:
    return str(shown["id"])
