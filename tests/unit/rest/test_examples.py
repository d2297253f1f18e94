"""The example of each request: one that its own parameters and body accept, in the document and on the page."""

from __future__ import annotations

import json
import re
import shlex
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from jsonschema import Draft202012Validator

from switchgear.surfaces.rest.examples import BODIES, HEADERS, QUERIES, WORDS, curl_example, needed
from switchgear.surfaces.rest.openapi import openapi_document
from switchgear.surfaces.rest.operation import Operation
from switchgear.surfaces.rest.operations import OPERATIONS
from switchgear.surfaces.rest.queries import read_query
from switchgear.surfaces.rest.reference import rest_reference

EACH = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)


@EACH
def test_an_example_is_a_request_that_its_operation_takes(operation: Operation) -> None:
    """What is shown can be sent as it is: path, query, headers and body are such as the operation reads."""
    words = shlex.split(curl_example(operation).replace("\\\n", ""))
    url = urlsplit(next(word for word in words if word.startswith("http://")))
    read_query(url.query.encode(), operation.query)
    assert dict(parse_qsl(url.query)) == dict(QUERIES.get(operation.id, {}))
    assert re.fullmatch(re.sub(r"{\w+}", "[^/{}]+", operation.path), url.path)
    for word in operation.words:
        assert re.search(word.pattern or "", WORDS[word.name])
    for header in operation.headers:
        assert not header.needed or re.search(header.pattern, HEADERS[header.name])
    if operation.body is not None:
        sent = json.loads(words[words.index("-d") + 1])
        msgspec.convert(sent, operation.body)
        assert Draft202012Validator(msgspec.json.schema(operation.body)).is_valid(sent)


def test_no_example_is_left_of_what_is_gone() -> None:
    """Each example belongs to an operation, and a body to one that takes a body."""
    assert set(BODIES) == {operation.id for operation in OPERATIONS if operation.body is not None}
    assert set(QUERIES) <= {operation.id for operation in OPERATIONS}
    assert set(WORDS) == {word.name for operation in OPERATIONS for word in operation.words}


@EACH
def test_the_page_says_what_is_required(operation: Operation) -> None:
    """The page shows permission, example, and which parameters a request has to carry; the document says the same."""
    section = rest_reference().partition(f": `{operation.method} {operation.path}`\n")[2].partition("\n## ")[0]
    assert f"Permission: `{operation.permission}`." in section
    assert curl_example(operation) in section
    described = openapi_document()["paths"][operation.path][operation.method.lower()]
    rows = {
        (kind, name): must == "yes" for kind, name, must in re.findall(r"\| (\w+) `([^`]+)` \| (yes|no) \|", section)
    }
    assert rows == {(one["in"], one["name"]): one["required"] for one in described["parameters"]}
    assert [name for (kind, name), must in rows.items() if kind == "query" and must] == [
        query.name for query in operation.query if needed(query)
    ]
    assert ("| body | yes |" in section) == (operation.body is not None) == ("requestBody" in described)
