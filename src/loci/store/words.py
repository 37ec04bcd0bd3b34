"""Full text of what was remembered, by SQLite's FTS5 in the same file: a text and its index are committed together.

Words are stemmed (Porter) and stripped of accents; which words matter, and how much, is for the caller to decide. Everything here
works on an open connection and takes no lock of its own.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

#: Kinds of records whose field ``text`` is searched.
SEARCHED_KINDS = ("episode", "experience", "short_term")

_TOKENIZER = "tokenize = 'porter unicode61 remove_diacritics 2'"
_KINDS = ", ".join(f"'{kind}'" for kind in SEARCHED_KINDS)
_TEXT = "CASE WHEN json_valid(fields) THEN json_extract(fields, '$.text') END"

#: The table, filled with the texts of the records that are there; its rowid is the record's seq.
CREATE = (
    f"CREATE VIRTUAL TABLE words USING fts5(text, id UNINDEXED, kind UNINDEXED, {_TOKENIZER})",
    f"""INSERT INTO words (rowid, text, id, kind) SELECT seq, text, id, kind FROM (
        SELECT seq, {_TEXT} AS text, id, kind FROM record WHERE kind IN ({_KINDS}) ORDER BY seq
        ) WHERE typeof(text) = 'text' AND text <> ''""",
)


def text_of(kind: str, fields: str) -> str:
    """The text of a record that is searched; empty: none."""
    if kind not in SEARCHED_KINDS:
        return ""
    text = json.loads(fields).get("text")
    return text if isinstance(text, str) else ""


def insert_texts(connection: sqlite3.Connection, records: Iterable[tuple[int, str, str, str]]) -> None:
    """Index the texts of new records: (seq, kind, id, fields) of each."""
    texts = ((seq, text_of(kind, fields), record_id, kind) for seq, kind, record_id, fields in records)
    connection.executemany("INSERT INTO words (rowid, text, id, kind) VALUES (?, ?, ?, ?)", (t for t in texts if t[1]))


def index_text(connection: sqlite3.Connection, seq: int, kind: str, record_id: str, fields: str) -> None:
    """Keep the index at what the record says now; costs no more than a look-up where the text is the same as before."""
    if kind not in SEARCHED_KINDS:
        return
    text = text_of(kind, fields)
    found = connection.execute("SELECT text FROM words WHERE rowid = ?", (seq,)).fetchone()
    if found is not None and found[0] == text:
        return
    if found is not None:
        connection.execute("DELETE FROM words WHERE rowid = ?", (seq,))
    if text:
        row = (seq, text, record_id, kind)
        connection.execute("INSERT INTO words (rowid, text, id, kind) VALUES (?, ?, ?, ?)", row)


def drop_text(connection: sqlite3.Connection, seq: int, kind: str) -> None:
    """Take a record out of the index. Its words stay in the file until `rebuild`."""
    if kind in SEARCHED_KINDS:
        connection.execute("DELETE FROM words WHERE rowid = ?", (seq,))


def has_words(connection: sqlite3.Connection) -> bool:
    """Whether there is full text: not in a memory of an older Loci that is only read."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'words'").fetchone() is not None


def rebuild(connection: sqlite3.Connection) -> None:
    """Make the index anew from its texts, so that words of texts that were taken out are in no page any more."""
    connection.execute("INSERT INTO words (words) VALUES ('rebuild')")


def refill(connection: sqlite3.Connection) -> None:
    """Make the table anew from the records, all or nothing (autocommit mode)."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        connection.execute("DROP TABLE IF EXISTS words")
        for statement in CREATE:
            connection.execute(statement)


def split_words(text: str) -> list[str]:
    """Words of a text, lower case, each once, in their order."""
    return list(dict.fromkeys(re.findall(r"\w+", text.lower())))


def find_words(
    connection: sqlite3.Connection, words: Iterable[str], kinds: Sequence[str], limit: int
) -> dict[str, list[str] | None]:
    """Ids of the records that have each word (or another form of it); None: more than ``limit`` have it.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    marks = ", ".join("?" for _ in kinds)
    found: dict[str, list[str] | None] = {}
    for word in words:
        rows = connection.execute(
            f"SELECT id FROM words WHERE words MATCH ? AND kind IN ({marks}) LIMIT ?",
            (f'"{word}"', *kinds, limit + 1),
        ).fetchall()
        found[word] = None if len(rows) > limit else [id for (id,) in rows]
    return found


def rank_words(
    connection: sqlite3.Connection, words: Sequence[str], kinds: Sequence[str], n_records: int, n_best: int, limit: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Share of some words, weighted by how rare they are, in the ``n_best`` records that have most of them.

    Only the index is read for all records that have a word; the ids of the best are looked up in the end.

    Args:
        n_records: how many there are.
        limit: a word that more records have weighs nothing.

    Returns:
        shares (0, 1] by id, and the weight of each word as a share of all weights.
    """
    found: dict[str, npt.NDArray[np.int64]] = {}
    weights: dict[str, float] = {}
    for word in words:
        (listed,) = connection.execute(
            "SELECT group_concat(rowid) FROM (SELECT rowid FROM words WHERE words MATCH ? LIMIT ?)",
            (f'"{word}"', limit + 1),
        ).fetchone()
        found[word] = np.fromstring(listed or "", dtype=np.int64, sep=",")
        weights[word] = 0.0 if len(found[word]) > limit else rarity(len(found[word]), n_records)
    total = sum(weights.values())
    if total <= 0.0:
        return {}, dict.fromkeys(words, 0.0)
    weights = {word: weight / total for word, weight in weights.items()}
    counted = [word for word in words if weights[word] > 0.0]
    seqs, inverse = np.unique(np.concatenate([found[word] for word in counted]), return_inverse=True)
    each = np.concatenate([np.full(len(found[word]), weights[word]) for word in counted])
    shares = np.bincount(inverse, weights=each, minlength=len(seqs))
    best = np.lexsort((-seqs, -shares))[:n_best]  # of equal ones the newest
    share_of = dict(zip(seqs[best].tolist(), shares[best].tolist(), strict=True))
    marks, kind_marks = ", ".join("?" * len(share_of)), ", ".join("?" * len(kinds))
    # The table behind the virtual one, whose columns are read one by one: c1 is the id, c2 the kind.
    rows = connection.execute(
        f"SELECT id, c1 FROM words_content WHERE id IN ({marks}) AND c2 IN ({kind_marks})", (*share_of, *kinds)
    )
    return {id: share_of[seq] for seq, id in rows}, weights


def rarity(n_with: int, n_records: int) -> float:
    """Weight of a word that ``n_with`` of ``n_records`` have: BM25's (Robertson and Zaragoza 2009), never negative."""
    return math.log1p((max(n_records, n_with) - n_with + 0.5) / (n_with + 0.5))


def find_words_in(texts: Mapping[str, str], words: Iterable[str], limit: int) -> dict[str, list[str] | None]:
    """The same for texts by id that are not in the file yet."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(CREATE[0])
        connection.executemany(
            "INSERT INTO words (text, id, kind) VALUES (?, ?, 'new')", [(t, i) for i, t in texts.items()]
        )
        return find_words(connection, words, ("new",), limit)
    finally:
        connection.close()


def find_differences(connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> str:
    """How the index differs from (seq, text) of all records, in words; empty: it agrees.

    Args:
        connection: may be read-only and in a transaction; the comparison is made in its temporary database.
    """
    is_ours = not connection.in_transaction
    if is_ours:
        connection.execute("BEGIN")
    try:
        connection.execute(f"CREATE VIRTUAL TABLE temp.expected USING fts5(text, {_TOKENIZER})")
        connection.executemany("INSERT INTO temp.expected (rowid, text) VALUES (?, ?)", texts)
        connection.execute("CREATE VIRTUAL TABLE temp.expected_terms USING fts5vocab('temp', 'expected', 'row')")
        connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab('main', 'words', 'row')")
        tables = (
            ("texts", "SELECT rowid, text FROM temp.expected", "SELECT rowid, text FROM words"),
            ("words", "SELECT term, doc, cnt FROM temp.expected_terms", "SELECT term, doc, cnt FROM temp.terms"),
        )
        problems = []
        for what, expected, got in tables:
            (n_missing,) = connection.execute(f"SELECT count(*) FROM ({expected} EXCEPT {got})").fetchone()
            (n_extra,) = connection.execute(f"SELECT count(*) FROM ({got} EXCEPT {expected})").fetchone()
            if n_missing or n_extra:
                problems.append(f"{n_missing} {what} of records are not in it, {n_extra} of no record are")
        return "; ".join(problems)
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        for name in ("expected_terms", "terms", "expected"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
        if is_ours:
            connection.execute("COMMIT")
