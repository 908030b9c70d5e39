"""Every tunable on one page. Where a caller may choose, MIN, DEFAULT and MAX stand together."""

from __future__ import annotations

from typing import Final

# -- search
LIMIT_MIN: Final = 1
LIMIT_DEFAULT: Final = 10
LIST_LIMIT_DEFAULT: Final = 20
FUSION_DEPTH: Final = 100  # candidates that each retriever gives at first to a fused answer, or `limit` where that is more
QUERY_TERMS_MAX: Final = 64  # the rarest words of a query that the lexical search looks up …
QUERY_TERMS_COUNTED_MAX: Final = 1_000  # … among so many of its first
SELECTIVE_ROWS: Final = 20_000  # up to this many matching rows a filter is answered row by row, above by the index

# -- writing
BATCH_CHUNKS: Final = 256  # chunks encoded and committed together
ENCODE_ROWS: Final = 32  # texts in one forward pass
LOCK_TIMEOUT_S: Final = 30.0
BUSY_TIMEOUT_MS: Final = 30_000

# -- the index file
FOLD_ROWS: Final = 5_000  # publish when the tail, or the tombstones, exceed this many rows …
FOLD_SHARE: Final = 0.03  # … or this share of the index, whichever is more
SEARCH_SLACK: Final = 32  # rows fetched beyond `limit`, so that exact rescoring can decide near-ties
READ_ROWS: Final = 8_192  # vectors fetched from SQLite in one go

# -- chunks
TITLE_SHARE_MAX: Final = 0.5  # of the encoder's window; a longer title is cut for encoding, with a warning
CUT_SLACK: Final = 0.15  # of a chunk's length: how far a cut may move to reach the end of a paragraph, line or sentence

# -- files
SNIFF_BYTES: Final = 65_536
APPLICATION_ID: Final = 0x76656373  # "vecs"
DATABASE_FILE: Final = "vecsearch.db"
DATABASE_FOLDER: Final = ".vecsearch"
COLLECTION_DEFAULT: Final = "default"
COLLECTION_NAME_MAX: Final = 100
ID_LENGTH_MAX: Final = 4_096
