"""A memory that the first release wrote (schema version 1, no full text) opens, and everything in it is found."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from loci.store import Store
from loci.store.checking import check_memory
from loci.store.record import to_row
from loci.store.schema import APPLICATION_ID, MIGRATIONS

#: As the first release made it; written out, so that a change of the code cannot change what is tested.
VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE record (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, stamp_ns INTEGER NOT NULL,
    session TEXT NOT NULL, map_id TEXT NOT NULL, fields TEXT NOT NULL, arrays BLOB, blobs TEXT NOT NULL,
    "check" INTEGER NOT NULL, UNIQUE (kind, id));
CREATE INDEX record_kind ON record (kind);
CREATE TABLE blob (digest TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE reference (digest TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (digest, seq)) WITHOUT ROWID;
CREATE INDEX reference_seq ON reference (seq);
"""
UUID = "0b1f4a52-4f3f-4a52-9f0e-5f1b8f3f7c11"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old"
    path.mkdir()
    connection = sqlite3.connect(path / "memory.sqlite")
    connection.executescript(VERSION_1)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO meta VALUES ('uuid', ?), ('created', '2026-01-01T00:00:00+00:00')", (UUID,))
    texts = {
        "episode": "the kettle is hot",
        "experience": "saw mug, chair",
        "short_term": "first saw lamp",
        "object": "no text",
    }
    for i, (kind, text) in enumerate(texts.items()):
        id = f"{'keyframe' if kind == 'experience' else 'object' if kind == 'object' else 'episode'}/{i + 1}"
        row = to_row(kind, id, {"text": text}, 5, "s", "home", {}, ())
        connection.execute(f"INSERT INTO record VALUES (NULL, {', '.join('?' * 9)})", row)
    # Broken by a bad disk long ago: must not stop the migration.
    connection.execute(
        "INSERT INTO record VALUES (NULL, 'episode', 'episode/9', 0, '', '', '{\"text\":', NULL, '[]', 1)"
    )
    connection.commit()
    connection.close()
    (path / "ids.json").write_text('{"episode": 10, "keyframe": 3, "object": 5}')
    manifest = {
        "format": "loci-memory",
        "uuid": UUID,
        "name": "old",
        "schema": 1,
        "created": "2026-01-01T00:00:00+00:00",
    }
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def test_it_can_be_read_as_it_is_and_is_brought_up_to_date_when_it_is_opened_for_writing(old: Path) -> None:
    with Store.open(old, read_only=True) as store:
        assert [r.fields["text"] for r in store.records("episode")] == ["the kettle is hot"]
        assert store.find_words(["kettle"]) == {"kettle": []}
        assert store.word_shares(["kettle"], n_records=1) == {}
    assert [f.part for f in check_memory(old)] == ["records", "database"]
    with Store.open(old) as store:
        assert store.uuid == UUID
        assert store.warnings == ()
        found = store.find_words(["kettles", "mug", "lamp", "text"])
        assert found == {"kettles": ["episode/1"], "mug": ["keyframe/2"], "lamp": ["episode/3"], "text": []}
        assert store.new_id("episode") == "episode/10"
    with Store.open(old, read_only=True) as store:
        assert store.find_words(["kettle"])["kettle"] == ["episode/1"]
    assert json.loads((old / "manifest.json").read_text())["schema"] == len(MIGRATIONS)
    assert "words" not in {f.part for f in check_memory(old)}
