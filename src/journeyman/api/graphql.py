"""`/graphql`: the few queries of GitHub's GraphQL that its CLI cannot do without.

Answers exactly what was selected, since gh refuses a field that it did not ask for. What the schema
does not have is an error in the answer, whose status is 200 as on GitHub. Knows nothing of what the
objects are made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import structlog
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    execute,
    parse,
    validate,
)
from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import body, exchange, responses
from journeyman.api.exchange import addresses_of
from journeyman.api.graph import MOST_NODES, Graph, Object
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Principal
from journeyman.service import Services

MOST_TOKENS = 2_000
MOST_FIELDS = 5_000
"""Of an answer, with every fragment written out and every list of nodes full."""
TOO_LARGE = "The query is too large or too deep; ask for less at once."
LISTS = frozenset({"nodes"})
TYPES = {Code.NOT_FOUND: "NOT_FOUND", Code.FORBIDDEN: "FORBIDDEN", Code.INVALID: "UNPROCESSABLE"}

log = structlog.get_logger(__name__)


class GraphQL:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def query(self, request: Request, principal: Principal) -> Response:
        asked = body.parse(await body.read_bytes(request))
        graph = Graph(self._services, principal, addresses_of(request.scope))
        result = await answer(asked, graph.root())
        request_id = exchange.of(request.scope).request_id
        content: Object = {}
        if result.data is not None or not result.errors:
            content["data"] = result.data
        if result.errors:
            content["errors"] = [told(error, request_id) for error in result.errors]
        return responses.as_json(content)


async def answer(asked: Mapping[str, Any], root: Object) -> ExecutionResult:
    source, variables = asked.get("query"), asked.get("variables") or {}
    name = asked.get("operationName") or None
    if not isinstance(source, str):
        return refused("A query attribute must be specified and must be a string.")
    if not isinstance(variables, dict):
        return refused("Variables must be an object.")
    if name is not None and not isinstance(name, str):
        return refused("The operation's name must be a string.")
    try:
        document = parse(source, max_tokens=MOST_TOKENS)
        errors = validate(schema(), document, max_errors=10)
        if errors:
            return ExecutionResult(None, errors)
        if size_of(document) > MOST_FIELDS:
            return refused(TOO_LARGE)
        done = execute(schema(), document, root, variable_values=variables, operation_name=name)
        return done if isinstance(done, ExecutionResult) else await done
    except GraphQLError as error:
        return ExecutionResult(None, [error])
    except RecursionError:
        return refused(TOO_LARGE)


def refused(message: str) -> ExecutionResult:
    return ExecutionResult(None, [GraphQLError(message)])


@cache
def schema() -> GraphQLSchema:
    return build_schema(files(__package__).joinpath("schema.graphql").read_text(encoding="utf-8"))


def told(error: GraphQLError, request_id: str) -> Object:
    """As GitHub: the kind beside the message. Of a bug nothing is told but where to look it up."""
    found: Object = {"message": error.message}
    if error.path is not None:
        found["path"] = list(error.path)
    if error.locations:
        found["locations"] = [
            {"line": place.line, "column": place.column} for place in error.locations
        ]
    cause = error.original_error
    if isinstance(cause, AppError):
        kind = TYPES.get(cause.code)
        return {"type": kind, **found} if kind else found
    if cause is not None and not isinstance(cause, GraphQLError):
        log.error("graphql.failed", request_id=request_id, exc_info=cause)
        found["message"] = f"Something went wrong while executing your query: `{request_id}`."
    return found


def size_of(document: DocumentNode) -> int:
    """How many fields the answer could have. The document is valid: no fragment holds itself."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    known: dict[str, int] = {}

    def size(selections: SelectionSetNode | None) -> int:
        return sum(map(size_of_one, selections.selections)) if selections else 0

    def size_of_one(node: object) -> int:
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in known:
                known[name] = size(fragments[name].selection_set)
            return known[name]
        inner = size(getattr(node, "selection_set", None))
        if not isinstance(node, FieldNode):
            return inner
        return 1 + inner * (MOST_NODES if node.name.value in LISTS else 1)

    operations = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return max((size(one.selection_set) for one in operations), default=0)
