"""Every tunable on one page. Where a caller may choose, MIN, DEFAULT and MAX stand together."""

from __future__ import annotations

from typing import Final

# -- search
LIMIT_MIN: Final = 1
LIMIT_DEFAULT: Final = 10
FACETS_LIMIT_DEFAULT: Final = 10  # values of a key
LIST_LIMIT_DEFAULT: Final = 20
FUSION_DEPTH: Final = 200  # candidates that each retriever gives at first to a fused answer, or `limit` where that is more
FUSION_LEXICAL_FACTOR: Final = 20  # times as many that the terms give where that decides, which costs less than nearer vectors do
IDENTIFIER_DENSE_DISCOUNT: Final = 0.9  # how far the words replace the meaning where a query is nothing but identifiers
AGREEMENT_WEIGHT: Final = 0.5  # of the geometric mean of both sides, beside their sum: what both find counts more
UNSEEN_TERM_WEIGHT: Final = 0.5  # in the best possible BM25, of a word that no chunk has
MIN_BM25_SHARE: Final = 0.5  # of the best possible BM25: a chunk that says so much of a question is an answer, however far it is
RERANK_DEPTH: Final = 50  # candidates whose texts are read: for their trigrams and word pairs, and to rerank them
TRIGRAM_TERM_SHARE: Final = 0.5  # of the terms' part in the score, given up for trigrams, of identifiers about half …
TRIGRAM_WEIGHT: Final = 0.3  # … and this given to the trigrams of the chunk that has most of them
FEEDBACK_CHUNKS: Final = 5  # the best, to whose vectors all are compared whose texts are read …
FEEDBACK_SHARPNESS: Final = 20.0  # … those that are behind the first by 1 / so much counting 1 / e as much …
FEEDBACK_WEIGHT: Final = 0.8  # … which counts so much
WORD_PAIR_WEIGHT: Final = 0.2  # of the share of neighbours that a chunk has side by side too, as far as a query is identifiers
SPELLING_SAMPLE_CHUNKS: Final = 128  # chunks, at most, that tell how rare a trigram or a word pair is
SPELLING_MAX_CHARS: Final = 8_192  # of a text that came with its vector and may be longer than any chunk
MAXSIM_WEIGHT: Final = 3.0  # of late interaction beside the score so far …
MAXSIM_WINDOW_TOKENS: Final = 16  # … half of it in the best stretch of so many tokens
RERANK_FEEDBACK_PASSAGES: Final = 2  # the best after late interaction, whose mean counts …
RERANK_FEEDBACK_WEIGHT: Final = 0.7  # … so much
CENTER_SAMPLE_CHUNKS: Final = 512  # chunks, at most, whose mean tells what all vectors of a collection share
CENTER_PRIOR_CHUNKS: Final = 16  # zeros that this mean is taken with for preferences: it tells less, the fewer vectors there are
DISLIKE_WEIGHT: Final = 0.5  # of a vote against, beside a vote for: 0, .25 and .5 rank alike, and .5 tells best what is disliked
PREFERENCE_EXACT_CHUNKS: Final = 4_096  # where there are so few, every one is voted on; where there are more, …
PREFERENCE_SEEDS: Final = 32  # examples, at most, from which a profile's directions are looked for
PREFERENCE_DIRECTIONS: Final = 2  # … those near to so many of a profile's directions, …
PREFERENCE_CANDIDATES: Final = 75  # … at first so many near to each
PROFILE_EXAMPLES_MAX: Final = 200  # the newest documents liked, and as many not liked, that a saved profile votes with
PROFILE_NAME_MAX: Final = 200  # characters
PROFILE_CACHE_SIZE: Final = 64  # profiles whose vectors are remembered as long as nothing changes
PERSONAL_WEIGHT: Final = 0.2  # of a profile's score, beside that of a search, by which it is multiplied
BOOST_WEIGHT: Final = 1.0  # of the share of documents with a lower number, beside a preference score
BOOST_CANDIDATES: Final = 400  # documents with the highest numbers that are voted on whatever they say
WORD_CHUNKS_MAX: Final = 20_000  # chunks with the word that a question is about, of which the best are read …
WORD_WINDOW_TOKENS: Final = 32  # … so many tokens on either side of it …
WORD_CENTER_SHARE: Final = 0.8  # … so much of the mean of all its uses is taken off each …
WORD_FEEDBACK_PART: Final = 10  # … one in so many, the best, is taken for right, and the word's mean there counts half …
WORD_FORM_SHARE: Final = 0.8  # … where so many of the chunks with it have the form in which it was told, …
WORD_FORM_BONUS: Final = 0.15  # … that form counts so much …
WORD_WEIGHT: Final = 0.5  # … and what it means there counts so much; the similarity of the whole the rest
SENSE_PASSAGES_MAX: Final = 120  # with a word, that are read to tell in which meanings it is used …
SENSE_GAP: Final = 0.04  # … groups of which are apart that are so much less like each other than like themselves
MIN_TOKEN_IDF_SHARE: Final = 0.1  # of the rarest word's: the weight of a token that belongs to no word that tells
NEAR_DUPLICATE_JACCARD: Final = 0.9  # of two texts' stems that must be the same for near-duplicates
MMR_POOL_FACTOR: Final = 5  # candidates for each pick …
MMR_POOL_MIN: Final = 50  # … or so many
MMR_DEFAULT: Final = 0.5
NOISE_SAMPLE_CHUNKS: Final = 64  # chunks, compared with …
NOISE_REFERENCE_CHUNKS: Final = 20_000  # … so many, tell near from far
NOISE_CHANGED_RATIO: Final = 0.2  # of the vectors: once more were added or deleted, the noise floor is estimated again
WINDOW_MAX: Final = 1_000
CONTEXT_TOKENS_DEFAULT: Final = 2_000
CONTEXT_HITS: Final = 50  # passages looked at to fill a context
QUERY_TERMS_MAX: Final = 64  # the rarest words of a query that the lexical search looks up …
QUERY_TERMS_COUNTED_MAX: Final = 1_000  # … among so many of its first
COMPOUND_PARTS_MAX: Final = 8  # words that signs join, which are one thing to look up …
COMPOUND_LENGTH_MAX: Final = 64  # … of at most so many characters
REPEATED_TERM_K3: Final = 8.0  # how soon a word said again and again in a query stops counting more
COMPOUND_WEIGHT: Final = 0.3  # of its words standing together, beside their own
BM25_K1: Final = 1.2  # how soon another occurrence of a term counts no more …
BM25_B: Final = 0.75  # … and how far that hangs on the length of its text
TERM_CACHE_BYTES: Final = 32_000_000  # of postings, and of positions, that are kept in memory for the next question
EXACT_FILTER_ROWS_MAX: Final = 1_000  # up to this many matching rows a filter is answered row by row, above by the index

FILTER_CACHE_SIZE: Final = 16  # filters whose chunks are remembered as long as nothing changes …
FILTER_CACHE_BYTES: Final = 64_000_000  # … in at most so much memory
PATH_LENGTH_MAX: Final = (
    4_096  # characters of the keys above and of a value that filters find; else entries would grow by the square
)
FILTER_VALUES_MAX: Final = 1_000_000  # of one $in or $nin: what goes on for ever is refused
PATTERN_LENGTH_MAX: Final = 1_000  # characters of a $regex …
PATTERN_STEPS_MAX: Final = 100_000  # … and steps of all patterns of a question, their repeats written out: up to 80 MB
PATTERN_TEXT_SECONDS_MAX: Final = 1.0  # that it is looked for in one text …
PATTERN_SECONDS_MAX: Final = 10.0  # … and all patterns of a question in all texts together

# -- writing
BATCH_CHUNKS: Final = 512  # chunks encoded and committed together …
BATCH_CHARACTERS: Final = 100_000  # … or fewer of documents with so much text: so that either takes a second or two
FILL_CHUNKS: Final = 256  # chunks whose vectors follow their texts, encoded and committed together
BATCH_TEXT_CHUNKS: Final = 2_048  # chunks committed together whose vectors follow
BATCH_SECONDS: Final = 2.0  # … or what was read meanwhile
GROUP_CHARACTERS: Final = 2_000_000  # of small files that are compared with the store together
GROUP_SECONDS: Final = 0.3  # after so long, what was read is compared with the store
FILL_WINDOW: Final = 2_048  # chunks that are sorted by length together before they are encoded
BATCH_PROVIDED_VECTORS: Final = 16_384  # documents with vectors of their own committed together
HELPER_CHARACTERS_MIN: Final = 200_000  # of texts, from here on analysed in a process beside, though somebody waits for it …
HELPER_CHARACTERS_AHEAD: Final = 20_000  # … from here on where there is something else to do meanwhile …
HELPER_CHARACTERS_MAX: Final = 20_000_000  # … up to here: they are copied there
READ_DOCUMENTS: Final = 128  # of one file, looked up and compared together
GROUP_ITEMS: Final = 512  # files, and documents of theirs, that are compared with the store together
ENCODER_BATCH_SIZE: Final = 32  # texts in one forward pass
LOCK_TIMEOUT_S: Final = 30.0
WAL_CHECKPOINT_BYTES: Final = 16_000_000  # of SQLite's log: from here on it is emptied after a write …
WAL_CHECKPOINT_WAIT_MS: Final = 500  # … for which readers are waited for so long

# -- parsing, in a process of its own
PARSE_SECONDS: Final = 60.0  # of computing that a file may take …
PARSE_SECONDS_PER_MB: Final = 2.0  # … and so much more for each megabyte of it
PARSE_ALLOWED_SECONDS: Final = 40_000.0  # … and at most so much more where a loader says what it has to do: pages, minutes
PARSE_WAIT_RATIO: Final = 4.0  # by the clock a file may take so many times as long: a busy machine computes little of the time
PARSE_MEMORY_BYTES: Final = 512_000_000
PARSE_OUTPUT_CHARACTERS: Final = 50_000_000  # text that a file may give, or …
PARSE_OUTPUT_RATIO: Final = 20  # … so many characters a byte of it, whichever is more
ASK_AHEAD_BYTES: Final = 16_000  # of requests: a pipe holds four times as much
PARSE_AHEAD_BYTES: Final = 8_000_000  # of answers that wait to be encoded
PARSE_SPARE_SECONDS: Final = 0.0  # that a parser may spend on chunks before it has waited for anybody
FRAME_CHARACTERS: Final = 200_000  # sent together
STREAM_MIN_BYTES: Final = 4_000_000  # plain text from here on is read, and stored, in portions …
PORTION_CHARACTERS: Final = 100_000  # … of about so much text
STREAM_BLOCK_BYTES: Final = 65_536  # read of it together: of larger strings the system keeps the memory
PORTIONS_TOGETHER: Final = 10  # committed, after the first

# -- pictures and sound
OCR_DPI: Final = 200  # to which pages of a PDF are drawn to be read …
OCR_PAGE_PIXELS: Final = 3_900_000  # … those smaller than A4 finer, to so many pixels …
OCR_DPI_MAX: Final = 300  # … but no finer than this
OCR_PAGE_SECONDS: Final = 20.0  # of computing that a page may add to what a file may take …
OCR_PAGES_MAX: Final = 2_000  # … of so many pages, the rest of a file is not read
OCR_PIXELS_MAX: Final = 12_000_000  # of what is read: a larger picture is made smaller (A4 at 300 dots an inch has 8.7 million)
OCR_PIXELS_MIN: Final = 1_500_000  # … and a picture with fewer twice as large: the letters of a screen are small
OCR_MODEL_BYTES: Final = 700_000_000  # more than PARSE_MEMORY_BYTES, where lines are read by a model of its own (RapidOCR)
OCR_CONFIDENCE_MIN: Final = 40.0  # of 100: what is read with less is taken for no text
IMAGE_PIXELS_MAX: Final = 64_000_000  # of a picture that is opened at all
SOUND_BLOCK_SECONDS: Final = 60  # of a recording that are decoded and heard together; 300 exceed the memory of the parser
SOUND_SECONDS_MAX: Final = 36_000  # of a recording
SPEECH_SECONDS_PER_SECOND: Final = 2.0  # of computing that a second of sound adds to what a file may take
SPEECH_STRETCH_SECONDS: Final = 30.0  # of speech in a chunk, where sentences are shorter
SPEECH_SILENCE_PROBABILITY_MAX: Final = 0.6  # above it nobody is taken to speak: Whisper's own bound, as the next
SPEECH_LOG_PROBABILITY_MIN: Final = -1.0
SPEECH_COMPRESSION_MAX: Final = 4.0  # of half a minute's text, which repeats itself then; menus read aloud come to 2.7
PICTURE_LABELS: Final = 10  # the likeliest labels of a picture, of which its text and its vector are made
PICTURE_WORDS_MAX: Final = 20  # words in a picture that is still described; more are a page
MEDIA_PIXELS_MAX: Final = 1_000_000  # of a picture that an encoder looks at: they make it a tenth of that themselves
MEDIA_SECONDS: Final = 2.0  # of computing that a file may take longer for each picture or stretch of sound that is encoded
MEDIA_SAMPLE_RATE: Final = 48_000  # of sound that is encoded: what CLAP hears
SOUND_PIECE_SECONDS: Final = 10  # of sound that is encoded together: models of sound hear no more at once
SOUND_PIECE_SECONDS_MIN: Final = 1  # a shorter rest at the end is left out
LOW_CONFIDENCE: Final = 60.0  # of 100: what was read with less is shown with it

# -- the index file
INDEX_FLUSH_ROWS: Final = 5_000  # publish when so many rows were added after the index files, or deleted from them
INDEX_RUN_ROWS_MIN: Final = 256  # fewer, between chunks whose vectors are still to be made, get no index file yet
MERGE_RATIO: Final = 2  # a segment of up to so many times the rows that follow it is merged with them
SEGMENT_ROWS_MAX: Final = 250_000
PARALLEL_ROWS: Final = 200_000  # in segments: from here on they are searched by several threads
SEGMENT_DELETED_RATIO: Final = 0.1  # of a segment's rows deleted: it is then written again
PQ_MIN_ROWS: Final = 10_000  # from here on a segment is searched by 4-bit codes …
RESCORE_MIN: Final = 160  # … which propose so many rows to be scored exactly …
RESCORE_FACTOR: Final = 4  # … or so many for each wanted, whichever is more …
RESCORE_FACTOR_SEGMENTS: Final = 2  # times as many, where several segments propose …
RESCORE_SHARE_MAX: Final = 0.25  # … and are left alone where that would be more than this share of the rows
SIMILARITY_ROUNDING: Final = 1e-6  # a cosine that is no further from 1 is 1: so far do storing and summing bring equal vectors
OVERFETCH_ROWS: Final = 32  # rows fetched beyond `limit`, so that exact rescoring can decide near-ties
READ_ROWS: Final = 8_192  # vectors fetched from SQLite in one go

# -- chunks
CONTEXT_SHARE_MAX: Final = 0.25  # of the encoder's window; a longer context is cut
TITLE_SHARE_MAX: Final = 0.5  # of the encoder's window; a longer title is cut for encoding, with a warning
SURE_SHARE: Final = 0.9  # of the window: a part of so few tokens fits, wherever it was cut
BLOCK_CHARACTERS: Final = 100_000  # of a long text cut without a look at its tokens, which take many times its memory
SPLIT_TOLERANCE: Final = 0.15  # of a chunk's length: how far a cut may move to reach the end of a paragraph, line or sentence

# -- stored texts
TEXT_PART_CHARACTERS: Final = 200_000  # a longer text is stored in parts of about half as much

# -- files
MAX_FILE_BYTES: Final = 256_000_000  # a larger file is left out unless requested
LOADER_VERSION: Final = 4  # goes up when a loader gives something else for the same bytes: files are then read again
SNIFF_BYTES: Final = 65_536
APPLICATION_ID: Final = 0x76656373  # "vecs"
SCHEMA_VERSION: Final = 11  # the newest migration
SCHEMA_VERSION_MIN: Final = 5  # the oldest format that can still be upgraded: the first migration
DATABASE_FILE: Final = "vecsearch.db"
DATABASE_FOLDER: Final = ".vecsearch"
COLLECTION_DEFAULT: Final = "default"
COLLECTION_NAME_MAX: Final = 100
DIMENSION_MAX: Final = 65_536  # of a collection's vectors
ID_LENGTH_MAX: Final = 4_096
