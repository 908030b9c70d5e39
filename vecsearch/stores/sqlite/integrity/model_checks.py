"""Whether the model that made a collection's vectors is at hand, and still the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from vecsearch.core.errors import ModelMismatchError, UnavailableError, VecsearchError
from vecsearch.encoders import model_files, registry
from vecsearch.encoders.base import TextEncoder
from vecsearch.stores.sqlite.engine.collections import CollectionState, list_visible_states
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.integrity.problems import Problem, make_error, make_note

ModelChoice: TypeAlias = str | TextEncoder | None  # what encodes, where a collection's own model cannot be loaded by its name


def check_models(database: DatabaseFolder, model: ModelChoice) -> Iterator[Problem]:
    """Check the model of each collection. Loads none."""
    with database.begin_read() as connection:
        states = list_visible_states(connection)
    for state in states:
        try:
            load_encoder(state, model)
        except ModelMismatchError:
            what = f"the model {state.model} is not the one that made its vectors any more"
            fix = f"put back the model's files as they were, or run: vecsearch reembed --model {state.model} -c {state.name}"
            yield make_error(what, "queries cannot be compared with the vectors, and nothing can be added", fix, state=state)
        except (VecsearchError, OSError, ValueError) as error:
            meaning = "until it is given, the collection can be searched by words, not by meaning"
            fix = "install it, give it as model= when you open the collection, or run: vecsearch reembed --model NAME"
            yield make_note(str(error), meaning, fix, state=state)


def load_encoder(state: CollectionState, model: ModelChoice) -> TextEncoder:
    """Return the encoder that made a collection's vectors. Raises ModelMismatchError, UnavailableError."""
    expected = (state.fingerprint, state.dimension)
    if model is not None and not isinstance(model, str) and (model.fingerprint, model.dimension) == expected:
        return model
    if not model_files.is_local(state.model):
        raise UnavailableError(f"its model {state.model} is not on this machine")
    return registry.load_matching(None, collection=state.name, stored=state.model, fingerprint=state.fingerprint)
