"""From a row to the request it asks for: (Prompt, JobSpec) -> Request, pure.

A row is one of, in this order: a batch line (`custom_id`, `method`, `url`, `body`), any columns
with a prompt template, `messages`, or `prompt` with an optional `system`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import jinja2
import msgspec
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batcher.errors import ConfigurationError, ErrorClass, RowError
from batcher.job import RESERVED_PARAMETERS, JobSpec
from batcher.records import Prompt, Request

ROLES = frozenset({"system", "user", "assistant", "tool", "developer"})

# The `url` of a batch line is never an address, only a name for the call (protocol.md section 6).
BATCH_URLS = frozenset(
    {"/v4/chat/completions", "/v1/chat/completions", "/api/paas/v4/chat/completions"}
)

Message = dict[str, object]
_canonical = msgspec.json.Encoder(order="sorted")


def request_key(row_id: str, body: Mapping[str, object]) -> str:
    """Return the idempotency key: 32 hex digits over the canonical JSON of id and body.

    The same on every machine and under any order of keys.
    """
    text = _canonical.encode((row_id, body))
    return hashlib.blake2b(text, digest_size=16).hexdigest()


class Renderer:
    """Makes requests of rows as one job wants them; templates are compiled once."""

    def __init__(self, job: JobSpec) -> None:
        """Compile the job's templates.

        Raises:
            ConfigurationError: a template is not Jinja2.
        """
        # `row` stays reachable for columns whose names are no identifiers.
        environment = ImmutableSandboxedEnvironment(
            undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True
        )
        self._job = job
        self._template = _compile(environment, "template", job.prompt.template)
        self._system = _compile(environment, "system_template", job.prompt.system_template)

    def __call__(self, prompt: Prompt) -> Request:
        """Return the request that `prompt` asks for.

        Raises:
            RowError: the row has no prompt, or one of the wrong shape.
        """
        columns = prompt.columns
        if self._template is None and "body" in columns and "custom_id" in columns:
            body = self._batch_body(columns)
        else:
            body = {
                "model": self._job.provider.model,
                "messages": self._messages(columns),
                **self._job.parameters,
            }
        if body["model"] is None:
            raise RowError(ErrorClass.INVALID_ROW, "no model: give --model, or one in the row")
        try:
            key = request_key(prompt.id, body)
        except (TypeError, ValueError, RecursionError) as error:
            raise RowError(
                ErrorClass.INVALID_ROW, f"the request is no valid JSON: {error}"
            ) from None
        return Request(prompt.row, prompt.id, key, body, prompt.source)

    def _batch_body(self, columns: Mapping[str, object]) -> dict[str, object]:
        """Read a batch line: its own body wins over the job's model and parameters."""
        method, url = columns.get("method"), columns.get("url")
        if method not in (None, "POST"):
            raise RowError(ErrorClass.INVALID_ROW, f"`method` is {method!r}, not POST")
        if url is not None and url not in BATCH_URLS:
            raise RowError(
                ErrorClass.INVALID_ROW,
                f"`url` is {url!r}; a batch line asks for one of {', '.join(sorted(BATCH_URLS))}",
            )
        own = _decoded(columns["body"], "body")
        if not isinstance(own, Mapping):
            raise RowError(ErrorClass.INVALID_ROW, "`body` is not an object")
        own = {name: _without_nulls(value) for name, value in own.items() if value is not None}
        for name in own.keys() & RESERVED_PARAMETERS.keys() - {"model", "messages", "request_id"}:
            if own[name] not in (False, 1):
                raise RowError(
                    ErrorClass.INVALID_ROW, f"`body.{name}`: {RESERVED_PARAMETERS[name]}"
                )
        model = own.get("model", self._job.provider.model)
        if not isinstance(model, str | None):
            raise RowError(ErrorClass.INVALID_ROW, "`body.model` is not a string")
        messages = checked_messages(own.get("messages"), "body.messages")
        parameters = {k: v for k, v in own.items() if k not in RESERVED_PARAMETERS}
        return {"model": model, "messages": messages, **self._job.parameters, **parameters}

    def _messages(self, columns: Mapping[str, object]) -> list[Message]:
        spec = self._job.prompt
        system: object = self._system and self._render(self._system, columns)
        if self._template is not None:
            content: object = self._render(self._template, columns)
        elif columns.get(spec.messages_column) is not None:
            given = _decoded(columns[spec.messages_column], spec.messages_column)
            messages = checked_messages(given, spec.messages_column)
            return [{"role": "system", "content": system}, *messages] if system else messages
        elif columns.get(spec.prompt_column) is not None:
            content = columns[spec.prompt_column]
        else:
            raise RowError(
                ErrorClass.INVALID_ROW,
                f"no prompt: neither `{spec.prompt_column}` nor `{spec.messages_column}`; "
                f"columns: {_names(columns)}. Name one with --prompt-column, or give a --template",
            )
        if not isinstance(content, str) or not content.strip():
            kind = "empty" if isinstance(content, str) else f"a {type(content).__name__}"
            raise RowError(ErrorClass.INVALID_ROW, f"the prompt is {kind}, not text")
        system = system or columns.get("system")
        if system is not None and not isinstance(system, str):
            raise RowError(ErrorClass.INVALID_ROW, "`system` is not text")
        user: Message = {"role": "user", "content": content}
        return [{"role": "system", "content": system}, user] if system else [user]

    def _render(self, template: jinja2.Template, columns: Mapping[str, object]) -> str:
        try:
            return template.render({"row": columns, **columns})
        except jinja2.UndefinedError as error:
            raise RowError(
                ErrorClass.TEMPLATE_ERROR,
                f"{error.message}; the row's columns: {_names(columns)}",
            ) from None
        # A template is the user's program: whatever it raises on this row is this row's error.
        except Exception as error:  # noqa: BLE001
            raise RowError(ErrorClass.TEMPLATE_ERROR, f"{type(error).__name__}: {error}") from None


def checked_messages(value: object, name: str) -> list[Message]:
    """Return `value` as a list of messages, or say what is wrong with it.

    Raises:
        RowError: not a list, empty, a role that does not exist, content of a wrong type, or
            nothing but system and assistant messages (protocol.md section 1).
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}` is not a list of messages")
    messages = [
        _checked_message(message, f"{name}[{index}]") for index, message in enumerate(value)
    ]
    if all(message["role"] in ("system", "assistant") for message in messages):
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}` has no user message")
    return messages


def _checked_message(message: object, name: str) -> Message:
    if not isinstance(message, Mapping):
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}` is not an object")
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise RowError(
            ErrorClass.INVALID_ROW,
            f"`{name}.role` is {role!r}, not one of {', '.join(sorted(ROLES))}",
        )
    if content is None and role != "assistant":
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}.content` is missing")
    if isinstance(content, Sequence) and not isinstance(content, str):
        if not content or not all(isinstance(p, Mapping) and "type" in p for p in content):
            raise RowError(ErrorClass.INVALID_ROW, f"`{name}.content` has a part without a type")
    elif content is not None and not isinstance(content, str):
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}.content` is neither text nor parts")
    # Arrow gives each struct every field of its type; the absent ones come as nulls.
    return {key: _without_nulls(item) for key, item in message.items() if item is not None}


def _without_nulls(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value


def _decoded(value: object, name: str) -> object:
    """Read a column that may hold its value as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RowError(ErrorClass.INVALID_ROW, f"`{name}` is not JSON text: {error}") from None


def _compile(
    environment: jinja2.Environment, name: str, text: str | None
) -> jinja2.Template | None:
    if text is None:
        return None
    try:
        return environment.from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise ConfigurationError(f"the {name}, line {error.lineno}: {error.message}") from None


def _names(columns: Mapping[str, object]) -> str:
    return ", ".join(sorted(columns)) or "none"
