"""Rows of the table of operations: what one may not leave out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switchgear.core.errors import OptionError
from switchgear.surfaces.rest.operation import PathWord
from switchgear.surfaces.rest.operations import OPERATIONS

SHOW = next(operation for operation in OPERATIONS if operation.id == "showIntent")


@pytest.mark.parametrize("path", ["/v1/intents", "/v1/intents/{other}", "/v1/intents/{intent_id}/{intent_id}"])
def test_path_has_the_words_that_are_described(path: str) -> None:
    """A word of the path without its description would be missing from the OpenAPI document."""
    with pytest.raises(OptionError, match="showIntent"):
        replace(SHOW, path=path)


def test_words_come_in_the_order_of_the_path() -> None:
    """The document lists them as they are written in the path."""
    steps = (PathWord("saga_id", "Id of the saga."), PathWord("step", "Name of the step."))
    assert replace(SHOW, path="/v1/sagas/{saga_id}/{step}", words=steps).words == steps
    with pytest.raises(OptionError):
        replace(SHOW, path="/v1/sagas/{saga_id}/{step}", words=steps[::-1])


def test_ids_and_routes_are_unique() -> None:
    """Subjects are gathered from many modules; two of them never claim one id, or one method of a path."""
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)
