"""Search over HTTP: a FastAPI application that keeps one collection open.

    pip install fastapi uvicorn
    VECSEARCH_DB=.vecsearch uvicorn --app-dir examples --factory web_app:create_app

A collection is safe to use from any number of threads. Here its asyncio twin runs each call in a thread, so that the event loop
goes on; plain `def` handlers could use the collection itself, as FastAPI runs those in threads.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import vecsearch


class NewDocument(BaseModel):
    """A document to store."""

    id: str
    text: str
    title: str | None = None
    metadata: dict[str, str | float | bool] = {}


class Answer(BaseModel):
    """One hit, as far as clients need it."""

    id: str
    title: str | None
    text: str
    score: float
    weak: bool | None


def create_app(database: str | None = None) -> FastAPI:
    """Build the application over a database folder, by default that of VECSEARCH_DB."""
    notes = vecsearch.AsyncCollection(vecsearch.open(database or os.environ["VECSEARCH_DB"]))

    @asynccontextmanager
    async def close_at_end(_: FastAPI) -> AsyncGenerator[None]:
        async with notes:
            yield

    app = FastAPI(title="Search", lifespan=close_at_end)

    @app.post("/documents", status_code=201)
    async def store(documents: list[NewDocument]) -> list[str]:
        return await notes.upsert(
            [document.text for document in documents],
            ids=[document.id for document in documents],
            titles=[document.title for document in documents],
            metadatas=[document.metadata for document in documents],
        )

    @app.get("/search")
    async def search(q: str, limit: int = 10, category: str | None = None) -> list[Answer]:
        where = None if category is None else {"category": category}
        hits = await notes.search(q, limit=limit, where=where, group_by="document")
        return [Answer(id=hit.id, title=hit.title, text=hit.text, score=hit.score, weak=hit.weak) for hit in hits]

    @app.exception_handler(vecsearch.InputError)
    async def explain(_: Request, error: vecsearch.InputError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=422)

    return app
