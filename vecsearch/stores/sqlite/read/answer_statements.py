"""The statements by which a snapshot reads what its answers show: texts, windows, and whose a chunk is."""

from __future__ import annotations

from typing import Final

CHUNK_TEXT: Final = """
    CASE WHEN chunks.part_id IS NULL THEN substr(documents.text, chunks.start + 1, chunks."end" - chunks.start)
    ELSE (SELECT substr(text_parts.text, chunks.start + 1 - text_parts.start, chunks."end" - chunks.start)
        FROM text_parts WHERE text_parts.id = chunks.part_id) END
"""
HITS: Final = f"""
    SELECT chunks.id, documents.external_id, chunks.ordinal, {CHUNK_TEXT}, documents.title, sources.path, chunks.start,
        chunks."end", documents.metadata, chunks.location, documents.payload
    FROM chunks JOIN documents ON documents.id = chunks.document_id LEFT JOIN sources ON sources.id = documents.source_id
    WHERE chunks.id IN (SELECT value FROM json_each(:ids))
"""
PASSAGES: Final = f"""
    SELECT chunks.id, documents.title, coalesce(chunks.context, ''), {CHUNK_TEXT}, chunks.start
    FROM chunks JOIN documents ON documents.id = chunks.document_id WHERE chunks.id IN (SELECT value FROM json_each(:ids))
"""
FIRST_PART: Final = "SELECT text FROM documents WHERE collection_id = :collection AND external_id = :key AND :start = 0"
TEXT_PART: Final = """
    SELECT text_parts.text FROM documents JOIN text_parts ON text_parts.document_id = documents.id
    WHERE documents.collection_id = :collection AND documents.external_id = :key AND text_parts.start = :start
"""
DOCUMENT_ROWS: Final = "SELECT id, document_id FROM chunks WHERE id IN (SELECT value FROM json_each(:ids))"
DOCUMENT_CHUNKS: Final = """
    SELECT documents.external_id, chunks.id FROM documents JOIN chunks ON chunks.document_id = documents.id
    WHERE documents.collection_id = :collection AND documents.external_id IN (SELECT value FROM json_each(:keys))
    ORDER BY chunks.id
"""
WINDOWS: Final = """
    WITH near AS (
        SELECT hits.id, chunks.document_id, min(chunks.start) AS first, max(chunks."end") AS last,
            max(chunks.part_id IS NOT NULL) AS has_parts
        FROM chunks AS hits JOIN chunks ON chunks.document_id = hits.document_id
            AND chunks.ordinal BETWEEN hits.ordinal - :neighbours AND hits.ordinal + :neighbours
        WHERE hits.id IN (SELECT value FROM json_each(:ids)) GROUP BY hits.id
    )
    SELECT near.id,
        substr(documents.text, first + 1, last - first) || CASE has_parts WHEN 0 THEN '' ELSE coalesce((
            SELECT group_concat(piece, '') FROM (
                SELECT substr(text, max(first - start, 0) + 1, last - max(first, start)) AS piece
                FROM text_parts WHERE document_id = near.document_id AND start < last AND start >= coalesce((
                    SELECT max(start) FROM text_parts WHERE document_id = near.document_id AND start <= first
                ), 0)
                ORDER BY start
            )
        ), '') END,
        first, last
    FROM near JOIN documents ON documents.id = near.document_id
"""
DOCUMENT_COUNT: Final = "SELECT count(*) FROM documents WHERE collection_id = :collection"
