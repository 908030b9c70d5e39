"""A recording, or the sound of a film: what is said in it, a sentence a line, each with its time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import UnavailableError, UnreadableFileError
from vecsearch.core.parsed import LoaderItem, MediaContent, MediaKind, Section, make_media_location
from vecsearch.core.reading import describe_reading
from vecsearch.core.settings import (
    MEDIA_SAMPLE_RATE,
    MEDIA_SECONDS,
    SOUND_BLOCK_SECONDS,
    SOUND_PIECE_SECONDS,
    SOUND_PIECE_SECONDS_MIN,
    SOUND_SECONDS_MAX,
    SPEECH_SECONDS_PER_SECOND,
    SPEECH_STRETCH_SECONDS,
)
from vecsearch.core.types import Location
from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders.document_builder import clean
from vecsearch.documents.loaders.document_info import map_metadata
from vecsearch.documents.loaders.media import make_unread_error
from vecsearch.documents.loaders.media.speech import SAMPLE_RATE, SpeechReader, SpokenSegment, get_speech_reader
from vecsearch.documents.loaders.raw_file import RawFile, emit_document

Samples = NDArray[np.float32]

# no playlists: those name other files and addresses
_FORMATS: Final = "mp3,wav,w64,flac,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,asf,aiff,avi,mpeg,mpegts,amr,caf,au"
_OPTIONS: Final = {"format_whitelist": _FORMATS, "protocol_whitelist": "pipe"}
_TAGS: Final = {"artist": "author", "author": "author", "date": "created", "creation_time": "created"}
_QUIET_SAMPLES: Final = SAMPLE_RATE // 4  # a pause is looked for among stretches of so many
_PAUSE_SECONDS: Final = 20  # at the end of a block in which it is cut


def load_sound(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the document of a recording: what is said in it, and itself piece by piece where an encoder takes sound; or the
    content of the pieces that are wanted.

    Raises BinaryFileError where nothing is installed that hears it, EmptyFileError where nothing is heard.
    """
    if raw.media_digests is not None:
        yield from _load_contents(raw)
        return
    is_encoded = MediaKind.AUDIO in raw.media.kinds
    reader = _find_reader(raw, is_needed=not is_encoded)
    segments: list[SpokenSegment] = []
    with _open_sound(raw) as container:
        title, metadata = _read_tags(container)
        start = 0.0
        for block in _split_blocks(_decode(container, SAMPLE_RATE)):
            if start > SOUND_SECONDS_MAX:
                raise UnreadableFileError(f"a recording of more than {SOUND_SECONDS_MAX // 3600} hours")
            raw.extend_time(len(block) / SAMPLE_RATE * SPEECH_SECONDS_PER_SECOND)
            segments += [] if reader is None else [_move_segment(segment, start) for segment in reader.read(block)]
            start += len(block) / SAMPLE_RATE
    if not start or not (segments or is_encoded):
        raise EmptyFileError("nobody speaks in it" if start else "no sound in it")
    if reader is not None and segments:
        total = sum(len(segment.text) for segment in segments)
        confidence = sum(len(segment.text) * segment.confidence for segment in segments) / total
        metadata |= describe_reading(reader.engine, reader.language, confidence)
    text = "\n".join(segment.text for segment in segments)
    sections = list(_make_sections(segments)) if segments else []
    pieces = enumerate(_list_pieces(start) if is_encoded else [])
    media = [make_media_location(MediaKind.AUDIO, raw.sha256, number, place) for number, place in pieces]
    title = title or raw.stem if media else title
    yield from emit_document(raw, text, title, metadata=metadata, sections=sections, media=media)


def _find_reader(raw: RawFile, *, is_needed: bool) -> SpeechReader | None:
    """Return what hears speech. Raises BinaryFileError where it is needed and not there, as it is without what decodes sound."""
    try:
        return get_speech_reader()
    except UnavailableError as error:
        if is_needed:
            raise make_unread_error(raw, "sound", str(error)) from error
    if find_spec("av") is None:
        raise make_unread_error(raw, "sound", "it is decoded with PyAV: pip install av")
    raw.lacks.add("speech")
    return None


def _list_pieces(seconds: float) -> list[Location]:
    """Return the places of the pieces of a recording that are encoded, one after the other; a short rest is none."""
    length, starts = SOUND_PIECE_SECONDS, range(0, ceil(seconds), SOUND_PIECE_SECONDS)
    whole = [start for start in starts if not start or seconds - start >= SOUND_PIECE_SECONDS_MIN]
    return [{"time": [format_time(start), format_time(min(start + length, seconds))]} for start in whole]


def _load_contents(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the pieces of a recording that are wanted."""
    with _open_sound(raw) as container:
        for number, piece in enumerate(_split_pieces(_decode(container, MEDIA_SAMPLE_RATE))):
            raw.extend_time(MEDIA_SECONDS)
            location = make_media_location(MediaKind.AUDIO, raw.sha256, number)
            if location["digest"] in (raw.media_digests or ()):
                samples = np.rint(piece * 32768).astype("<i2")
                yield MediaContent(raw.name, location, samples.tobytes(), samples.shape)


def _split_pieces(parts: Iterator[Samples]) -> Iterator[Samples]:
    """Yield the sound in pieces of SOUND_PIECE_SECONDS, the last as long as it is."""
    waiting, most = np.zeros(0, np.float32), SOUND_PIECE_SECONDS * MEDIA_SAMPLE_RATE
    for part in parts:
        waiting = np.concatenate([waiting, part])
        while len(waiting) >= most:
            yield waiting[:most]
            waiting = waiting[most:]
    if len(waiting):
        yield waiting


def _move_segment(segment: SpokenSegment, seconds: float) -> SpokenSegment:
    return SpokenSegment(clean(segment.text), segment.start + seconds, segment.end + seconds, segment.confidence)


def _make_sections(segments: list[SpokenSegment]) -> Iterator[Section]:
    """Yield a section a sentence; a chunk holds half a minute or so, that its time tells where to listen."""
    start, begun = 0, segments[0].start
    for segment in segments:
        is_boundary = segment.end - begun > SPEECH_STRETCH_SECONDS
        begun = segment.start if is_boundary else begun
        place = {"time": [format_time(segment.start), format_time(segment.end)]}
        yield Section(start, place, hard_boundary=is_boundary)
        start += len(segment.text) + 1


def format_time(seconds: float) -> str:
    """Return a moment as HH:MM:SS.mmm."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


# -- sound


@contextmanager
def _open_sound(raw: RawFile) -> Iterator[Any]:
    """Open the container of a recording. Raises UnreadableFileError, whatever is wrong with it."""
    import av

    av.logging.set_level(av.logging.PANIC)
    try:
        with raw.open() as file, av.open(file, mode="r", metadata_errors="ignore", options=_OPTIONS) as container:
            if not container.streams.audio:
                raise EmptyFileError("no sound in it")
            yield container
    except (UnreadableFileError, MemoryError):
        raise
    except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
        raise UnreadableFileError("a recording is damaged, or of a kind that is not known") from error


def _read_tags(container: Any) -> tuple[str | None, dict[str, Any]]:
    """Return the title and the metadata that a recording states."""
    tags = {**container.streams.audio[0].metadata, **container.metadata}
    tags = {str(name).lower(): clean(str(value)) for name, value in tags.items()}
    return " ".join(tags.get("title", "").split()) or None, dict(map_metadata(tags.items(), _TAGS))


def _decode(container: Any, rate: int) -> Iterator[Samples]:
    """Yield the sound of the first audio stream piece by piece: mono, so many samples a second. A damaged piece is left out."""
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    frames = container.decode(audio=0)
    while True:
        try:
            frame = next(frames, None)
        except av.error.InvalidDataError:
            continue
        for piece in resampler.resample(frame):
            yield piece.to_ndarray()[0].astype(np.float32) / 32768
        if frame is None:
            return


def _split_blocks(pieces: Iterator[Samples]) -> Iterator[Samples]:
    """Yield the sound in blocks of a minute or so, each cut where it is quiet."""
    waiting: list[Samples] = []
    length, most = 0, SOUND_BLOCK_SECONDS * SAMPLE_RATE
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= most:
            block = np.concatenate(waiting)
            cut = _find_pause(block)
            yield block[:cut]
            waiting, length = [block[cut:]], len(block) - cut
    if length:
        yield np.concatenate(waiting)


def _find_pause(block: Samples) -> int:
    """Return where in its last seconds a block is quietest."""
    tail = block[-_PAUSE_SECONDS * SAMPLE_RATE :]
    stretches = tail[: len(tail) // _QUIET_SAMPLES * _QUIET_SAMPLES].reshape(-1, _QUIET_SAMPLES)
    quietest = int(np.argmin(np.square(stretches).sum(axis=1)))
    return len(block) - len(tail) + quietest * _QUIET_SAMPLES + _QUIET_SAMPLES // 2
