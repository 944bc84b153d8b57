"""The demo's corpus, sizes and plan: real files, chosen and dealt out the same way every time."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.demo.corpus import LARGEST, SourceFile, choose, find_corpus, mime_type_of, walk
from deploy.demo.plan import Collection, Fate, PlannedDocument, missing, plan
from deploy.demo.tenants import TENANTS, zipf_sizes
from docshard_client import Document


def file(relative: str, mime_type: str = "text/plain") -> SourceFile:
    return SourceFile(Path("/nowhere"), relative, mime_type, 100)


def document(planned: PlannedDocument, **changes: object) -> Document:
    fields: dict[str, object] = {
        "id": UUID(int=1),
        "client_id": UUID(int=2),
        "original_name": planned.file.name,
        "mime_type": planned.file.mime_type,
        "current_version": planned.versions,
        "metadata": {"path": planned.key, "reviewed": True},
        "created_by": UUID(int=3),
        "legal_hold": False,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Document.model_validate(fields | changes)


def test_walk_finds_documents_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "pkg" / "__pycache__").mkdir(parents=True)
    for name in ("pkg/a.md", "pkg/LICENSE", "pkg/b.png", "pkg/lib.so", "pkg/__pycache__/a.pyc"):
        (tmp_path / name).write_bytes(b"content")
    (tmp_path / "pkg/empty.txt").touch()
    (tmp_path / "pkg/huge.txt").write_bytes(b"x" * (LARGEST + 1))
    (tmp_path / "pkg/link.txt").symlink_to(tmp_path / "pkg/a.md")
    found = [(f.relative, f.mime_type, f.source, f.size) for f in walk(tmp_path)]
    assert found == [
        ("pkg/LICENSE", "text/plain", "pkg", 7),
        ("pkg/a.md", "text/markdown", "pkg", 7),
        ("pkg/b.png", "image/png", "pkg", 7),
    ]


@pytest.mark.parametrize(
    ("name", "mime"),
    [
        ("changelog.Debian.gz", "application/gzip"),
        ("index.html", "text/html"),
        ("COPYING.LESSER", "text/plain"),
        ("module.py", "text/x-python"),
        ("module.pyc", None),
        ("Makefile", None),
    ],
)
def test_mime_types_do_not_depend_on_the_machine(name: str, mime: str | None) -> None:
    assert mime_type_of(name) == mime


def test_types_and_then_sources_take_turns() -> None:
    crowd = [file(f"crowd/{n}.json", "application/json") for n in range(50)]
    rare = [file("other/1.json", "application/json"), file("other/1.png", "image/png")]
    chosen = {f.relative for f in choose([*crowd, *rare], 3)}
    assert {"other/1.json", "other/1.png"} <= chosen


def test_the_choice_does_not_depend_on_the_order_of_finding() -> None:
    files = [file(f"{n % 7}/{n}.txt", f"text/{n % 3}") for n in range(60)]
    assert choose(files, 20) == choose(reversed(files), 20)


def test_this_machine_has_a_corpus() -> None:
    """The interpreter's library and site-packages suffice for several hundred files."""
    corpus = find_corpus(400)
    assert len(corpus) == 400
    assert len({f.mime_type for f in corpus}) >= 10
    assert corpus == find_corpus(400)


@given(st.integers(1, 50), st.integers(0, 2_000))
def test_zipf_sizes_fall_and_sum_to_the_total(count: int, more: int) -> None:
    sizes = zipf_sizes(count + more, count)
    assert sum(sizes) == count + more
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] >= 1


def test_the_first_tenant_has_about_twice_the_second() -> None:
    first, second, *_ = zipf_sizes(500, len(TENANTS))
    assert first / second == pytest.approx(2, rel=0.05)


def test_a_plan_deals_out_every_file_once() -> None:
    files = [file(f"pkg/{n}.txt") for n in range(300)]
    dealt = [d.key for collection in plan(files) for d in collection.documents]
    assert sorted(dealt) == sorted(f.relative for f in files)


def test_versions_grow_towards_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"123456")
    planned = PlannedDocument(SourceFile(tmp_path, "a.txt", "text/plain", 6), 3, Fate.KEPT)
    assert list(planned.contents(0)) == [b"12", b"1234", b"123456"]
    assert list(planned.contents(2)) == [b"123456"]


def test_what_was_interrupted_is_missing_and_what_is_done_is_not() -> None:
    fates = [Fate.KEPT, Fate.RENAMED, Fate.REVIEWED, Fate.DELETED, Fate.KEPT, Fate.KEPT]
    docs = tuple(PlannedDocument(file(f"{n}.txt"), 2, fate) for n, fate in enumerate(fates))
    collection = Collection(TENANTS[0], docs)
    gone = datetime(2026, 1, 2, tzinfo=UTC)
    done = [document(d, deleted_at=gone if d.fate is Fate.DELETED else None) for d in docs]
    assert missing(collection, done) == []
    halfway = [
        document(docs[0], current_version=1),
        document(docs[1], original_name=docs[1].first_name),
        document(docs[2], metadata={"path": docs[2].key}),
        document(docs[3]),
        document(docs[4]),
    ]
    assert missing(collection, halfway) == [
        *zip(docs[:4], halfway[:4], strict=True),
        (docs[5], None),
    ]
