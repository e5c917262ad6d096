"""Helpers to write an OpenAPI 3.1 description: parameters, responses, operations, schemas."""

from typing import Any

__all__ = [
    "ERROR_RESPONSES",
    "NUMBER_OR_NULL",
    "TEXT",
    "add_post",
    "array",
    "get",
    "object_schema",
    "path_parameter",
    "post_json",
    "query_parameter",
    "schema_ref",
]

TEXT: dict[str, Any] = {"type": "string"}
NUMBER_OR_NULL: dict[str, Any] = {"type": ["number", "null"]}
_ERRORS = {
    "400": "Refused",
    "403": "Foreign",
    "404": "Unknown",
    "429": "TooMany",
    "503": "Broken",
    "507": "NoRoom",
}
"""HTTP status -> name of the response in `ERROR_RESPONSES` that every operation may give."""


def query_parameter(
    name: str,
    description: str,
    kind: str = "string",
    many: bool = False,
    **schema: float | list[str],
) -> dict[str, Any]:
    """A query parameter.

    Args:
        name: name of the parameter.
        description: its meaning, for people.
        kind: JSON type of a value.
        many: whether the parameter may be repeated.
        **schema: further keywords of a value's schema, such as `minimum` or `enum`.
    """
    value: dict[str, Any] = {"type": kind, **schema}
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": array(value) if many else value,
    }


def path_parameter(name: str, kind: str = "string") -> dict[str, Any]:
    """A path parameter with a value of a JSON type."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


def get(
    summary: str,
    *parameters: dict[str, Any],
    media: str = "application/json",
    schema: dict[str, Any] | None = None,
    no_content: str = "",
) -> dict[str, Any]:
    """A path with a GET operation.

    Args:
        summary: what the operation returns.
        *parameters: its parameters.
        media: media type of the response.
        schema: schema of the response; None leaves it open.
        no_content: when the response is 204; blank if never.
    """
    content = {media: {"schema": schema} if schema else {}}
    responses: dict[str, Any] = {"200": {"description": summary, "content": content}}
    if no_content:
        responses["204"] = {"description": no_content}
    responses |= {code: _response_ref(name) for code, name in _ERRORS.items()}
    if media != "application/json":
        responses["304"] = {"description": "not modified since the ETag in If-None-Match"}
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": responses}}


def post_json(
    summary: str,
    properties: dict[str, Any],
    required: list[str],
    *parameters: dict[str, Any],
    media: str,
) -> dict[str, Any]:
    """A path with a POST operation that takes a JSON object.

    Args:
        summary: what the operation returns.
        properties: schemas of the object's members.
        required: members that must be there.
        *parameters: its query parameters.
        media: media type of the response.
    """
    operation = get(summary, *parameters, media=media)["get"]
    schema = {
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": False,
    }  # fmt: skip
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    responses = operation["responses"] | {"413": _response_ref("TooLarge")}
    responses.pop("304", None)
    return {"post": operation | {"requestBody": body, "responses": responses}}


def add_post(
    path: dict[str, Any], summary: str, body: str, *more: dict[str, Any]
) -> dict[str, Any]:
    """A path with GET, and the same operation as POST with a binary body.

    Args:
        path: the path with GET.
        summary: what POST returns.
        body: description of the body.
        *more: parameters that only POST has.
    """
    operation = path["get"]
    request_body = {
        "required": True,
        "description": body,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
    post = operation | {
        "summary": summary,
        "parameters": [*operation["parameters"], *more],
        "requestBody": request_body,
        "responses": operation["responses"] | {"413": _response_ref("TooLarge")},
    }
    return path | {"post": post}


def schema_ref(name: str) -> dict[str, Any]:
    """A reference to a schema in `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def _response_ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/responses/{name}"}


def array(items: dict[str, Any]) -> dict[str, Any]:
    """Schema of an array."""
    return {"type": "array", "items": items}


def object_schema(required: dict[str, Any], **optional: dict[str, Any]) -> dict[str, Any]:
    """Schema of an object with required and optional properties."""
    return {"type": "object", "required": list(required), "properties": required | optional}


def _error_response(description: str) -> dict[str, Any]:
    content = {"application/json": {"schema": schema_ref("Error")}}
    return {"description": description, "content": content}


ERROR_RESPONSES = {
    "Refused": _error_response("a value is invalid; `what` says which, and what to do"),
    "Unknown": _error_response("there is nothing with this id"),
    "Foreign": _error_response("a page of another site sent the request"),
    "TooMany": _error_response(
        "the client has too many requests under way or per minute; see `Retry-After`"
    ),
    "Broken": _error_response("the server cannot answer now; `what` says why"),
    "NoRoom": _error_response("a disk of the server is full"),
    "TooLarge": _error_response("the body is larger than this server accepts"),
}
"""Responses of failed requests, for `components`."""
