"""The Python API for asyncio: the methods of a Collection under the same names, each run in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
from functools import partial, wraps
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar, Unpack, overload

from numpy.typing import NDArray

from vecsearch.api.collection import Collection
from vecsearch.api.open import open as open_collection
from vecsearch.api.searcher import ManyVectors, OneVector, SearchKeywords
from vecsearch.core.results import Hits

if TYPE_CHECKING:
    from vecsearch.core.types import Metadata
    from vecsearch.encoders.base import TextEncoder

_P = ParamSpec("_P")
_T = TypeVar("_T")
_PAGE_SIZE: Final = 1_000  # ids that a thread fetches together


def _run_in_thread(
    method: Callable[Concatenate[Collection, _P], _T],
) -> Callable[Concatenate[AsyncCollection, _P], Coroutine[object, object, _T]]:
    """Return the twin of a method, with its arguments and its documentation."""

    @wraps(method)
    async def call(self: AsyncCollection, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.to_thread(method, self.collection, *args, **kwargs)

    return call


class AsyncCollection:
    """A collection for asyncio. Made by `vecsearch.open_async`, or of a Collection: `AsyncCollection(collection)`.

    Each method is that of `Collection` under the same name, with the same arguments, run in a thread of the event loop's
    executor, so that the loop goes on; any number may be awaited at once. What a Collection has as a property is awaited as such
    (`await notes.model`), but for `name` and `path`. `async for id in notes` yields the ids; for `len` there is `count`.

    A task that is cancelled stops waiting; the thread ends what it is at. Pass `should_stop` to stop a long run.
    """

    def __init__(self, collection: Collection) -> None:
        """Take a collection, which `close` closes."""
        self.collection = collection

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<vecsearch.AsyncCollection {self.name!r} in {self.path}>"

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield the ids of the documents, ascending; what is added or deleted meanwhile may be met or not."""
        ids = iter(self.collection)
        while page := await asyncio.to_thread(lambda: list(islice(ids, _PAGE_SIZE))):
            for id in page:
                yield id

    # -- searching

    @overload
    async def search(self, query: str | Sequence[float] | OneVector, **options: Unpack[SearchKeywords]) -> Hits: ...

    @overload
    async def search(
        self, query: list[str] | tuple[str, ...] | Sequence[Sequence[float]] | ManyVectors, **options: Unpack[SearchKeywords]
    ) -> list[Hits]: ...

    @overload
    async def search(self, query: NDArray[Any], **options: Unpack[SearchKeywords]) -> Hits | list[Hits]: ...

    @wraps(Collection.search)
    async def search(self, query: Any, **options: Any) -> Hits | list[Hits]:
        return await asyncio.to_thread(partial(self.collection.search, query, **options))

    similar = _run_in_thread(Collection.similar)
    recommend = _run_in_thread(Collection.recommend)
    like = _run_in_thread(Collection.like)
    unlike = _run_in_thread(Collection.unlike)
    forget_preferences = _run_in_thread(Collection.forget_preferences)
    delete_profile = _run_in_thread(Collection.delete_profile)
    get_profile = _run_in_thread(Collection.get_profile)
    list_profiles = _run_in_thread(Collection.list_profiles)
    context = _run_in_thread(Collection.context)
    embed = _run_in_thread(Collection.embed)
    senses = _run_in_thread(Collection.senses)
    same_sense = _run_in_thread(Collection.same_sense)

    # -- reading

    get = _run_in_thread(Collection.get)
    list_documents = _run_in_thread(Collection.list_documents)
    list_sources = _run_in_thread(Collection.list_sources)
    count = _run_in_thread(Collection.count)
    count_sources = _run_in_thread(Collection.count_sources)
    keys = _run_in_thread(Collection.keys)
    facets = _run_in_thread(Collection.facets)
    roots = _run_in_thread(Collection.roots)
    list_ignored = _run_in_thread(Collection.list_ignored)
    status = _run_in_thread(Collection.status)
    roots = _run_in_thread(Collection.roots)
    list_ignored = _run_in_thread(Collection.list_ignored)

    # -- writing

    add = _run_in_thread(Collection.add)
    add_dataframe = _run_in_thread(Collection.add_dataframe)
    upsert = _run_in_thread(Collection.upsert)
    update = _run_in_thread(Collection.update)
    update_many = _run_in_thread(Collection.update_many)
    set_metadata = _run_in_thread(Collection.set_metadata)
    index = _run_in_thread(Collection.index)
    fill_vectors = _run_in_thread(Collection.fill_vectors)
    forget_root = _run_in_thread(Collection.forget_root)
    stop_ignoring = _run_in_thread(Collection.stop_ignoring)
    delete = _run_in_thread(Collection.delete)
    delete_all = _run_in_thread(Collection.delete_all)
    optimize = _run_in_thread(Collection.optimize)
    reembed = _run_in_thread(Collection.reembed)
    tune = _run_in_thread(Collection.tune)
    drop_tuning = _run_in_thread(Collection.drop_tuning)
    export_documents = _run_in_thread(Collection.export_documents)
    import_documents = _run_in_thread(Collection.import_documents)
    close = _run_in_thread(Collection.close)

    # -- what it is

    @property
    def name(self) -> str:
        """Return the collection's name."""
        return self.collection.name

    @property
    def path(self) -> Path:
        """Return the database folder that it lies in."""
        return self.collection.path

    @property
    def id(self) -> Coroutine[object, object, str | None]:
        """Await the collection's own id; see `Collection.id`."""
        return asyncio.to_thread(lambda: self.collection.id)

    @property
    def model(self) -> Coroutine[object, object, str]:
        """Await the name of the model that makes its vectors."""
        return asyncio.to_thread(lambda: self.collection.model)

    @property
    def dimension(self) -> Coroutine[object, object, int]:
        """Await the length of its vectors."""
        return asyncio.to_thread(lambda: self.collection.dimension)

    @property
    def encoder(self) -> Coroutine[object, object, TextEncoder]:
        """Await the collection's encoder, loaded; see `Collection.encoder`."""
        return asyncio.to_thread(lambda: self.collection.encoder)

    @property
    def metadata(self) -> Coroutine[object, object, Metadata]:
        """Await the JSON object that is kept with it."""
        return asyncio.to_thread(lambda: self.collection.metadata)

    @property
    def pending_vectors(self) -> Coroutine[object, object, int]:
        """Await how many chunks are found by their words alone so far."""
        return asyncio.to_thread(lambda: self.collection.pending_vectors)


class AsyncOpening:
    """A collection that is being opened: to be awaited, or used in `async with`, which closes it at the end."""

    def __init__(self, open_now: Callable[[], Collection]) -> None:
        self._open_now = open_now
        self._opened: AsyncCollection | None = None

    async def _open(self) -> AsyncCollection:
        return AsyncCollection(await asyncio.to_thread(self._open_now))

    def __await__(self) -> Generator[Any, Any, AsyncCollection]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncCollection:
        self._opened = await self._open()
        return self._opened

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._opened is not None:
            await self._opened.close()


def _open_later(open_now: Callable[_P, Collection]) -> Callable[_P, AsyncOpening]:
    @wraps(open_now)
    def open_async(*args: _P.args, **kwargs: _P.kwargs) -> AsyncOpening:
        return AsyncOpening(partial(open_now, *args, **kwargs))

    open_async.__name__ = open_async.__qualname__ = "open_async"
    use = "Open a collection for asyncio: `async with open_async(path) as notes`, or `notes = await open_async(path)`."
    open_async.__doc__ = f"{use}\n\n    {open_now.__doc__}"
    return open_async


open_async = _open_later(open_collection)
