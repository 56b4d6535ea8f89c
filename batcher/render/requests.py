"""From a row to the request it asks for: (Prompt, JobSpec) -> Request, pure.

A row is one of, in this order: a batch line (`custom_id`, `method`, `url`, `body`), any columns
with a prompt template, `messages`, or `prompt` with an optional `system`.
"""

from __future__ import annotations

import hashlib
import re
import reprlib
from collections.abc import Mapping
from typing import cast

import jinja2
import msgspec

from batcher.errors import ConfigurationError, ErrorClass, RowError
from batcher.job import EVERY_MODEL, RESERVED_PARAMETERS, JobSpec, fault_of_tools
from batcher.records import Prompt, Request
from batcher.render.formatting import formatted
from batcher.render.images import Images, Message
from batcher.render.messages import checked_messages, decoded, dialog, json_value
from batcher.render.templates import compiled, environment
from batcher.structured import AnswerFormat
from batcher.wording import did_you_mean

# The `url` of a batch line is never an address, only a name for the call (protocol.md section 6).
BATCH_URLS = frozenset(
    {"/v4/chat/completions", "/v1/chat/completions", "/api/paas/v4/chat/completions"}
)

# What a batch line may say without contradicting the run, of what the run itself decides.
_HARMLESS = (("stream", False), ("n", 1))
_RUN_DECIDES = RESERVED_PARAMETERS.keys() - {"model", "messages", "request_id"}


_NO_FILES = Images()
_UNDEFINED = re.compile("'(.+)' is undefined")
_canonical = msgspec.json.Encoder(order="sorted")


def request_key(row_id: str, body: Mapping[str, object]) -> str:
    """Return the idempotency key: 32 hex digits over the canonical JSON of id and body.

    The same on every machine and under any order of keys.
    """
    return _key_of(_canonical.encode((row_id, body)))


def sampled(request: Request, sample: int, samples: int) -> Request:
    """Return the request for sample number `sample` of the `samples` that a row gets.

    `request` is the row's own, with the row's number. The first sample keeps its key, which is that
    of a row's only answer; so more samples can be asked for later.
    """
    content = request.content
    return request._replace(
        row=request.row * samples + sample,
        key=_of_sample(request.key, sample),
        content=None if content is None else _of_sample(content, sample),
        sample=sample,
    )


def key_under(request: Request, row_id: str) -> str:
    """Return the key that `request` would have if the id of its row were `row_id`."""
    return _of_sample(request_key(row_id, request.body), request.sample)


def _of_sample(digest: str, sample: int) -> str:
    return digest if sample == 0 else _key_of(_canonical.encode((digest, sample)))


def request_content(body: Mapping[str, object]) -> str:
    """Return a hash of what is asked, as 32 hex digits: the same for all rows that ask the same."""
    return _key_of(_canonical.encode(body))


def _is_deterministic(body: Mapping[str, object]) -> bool:
    """Whether a model is told to answer the same each time (protocol.md section 1)."""
    temperature = body.get("temperature")
    return body.get("do_sample") is False or (temperature == 0 and temperature is not False)


def _key_of(canonical: bytes | memoryview) -> str:
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


class Renderer:
    """Makes requests of rows as one job wants them; templates are compiled once."""

    def __init__(
        self,
        job: JobSpec,
        *,
        stand_in: str | None = None,
        answer_format: AnswerFormat | None = None,
        images: Images = _NO_FILES,
    ) -> None:
        """Compile the job's templates.

        `stand_in` is written where no model is named, into requests that are looked at, not sent.
        `answer_format` says how the value is asked for that the job wants in each answer, `images`
        how those of its image columns come into a request.

        Raises:
            ConfigurationError: a template is not Jinja2, or the prompt's is empty.
        """
        sandbox = environment()
        self._job = job
        self._model = job.provider.model or stand_in
        # Whether one answer serves all rows that ask the same; None leaves it to the request.
        reuse = job.reuse
        self._shares = True if reuse.cache is not None else reuse.dedup
        self._answer_format = answer_format
        self._images = images
        if job.prompt.template is not None and not job.prompt.template.strip():
            raise ConfigurationError(
                "the template is empty, so that no row has a prompt; write one, or leave it out"
            )
        self._template = compiled(sandbox, "template", job.prompt.template)
        self._system = compiled(sandbox, "system_template", job.prompt.system_template)

    def __call__(self, prompt: Prompt) -> Request:
        """Return the request that `prompt` asks for.

        Raises:
            RowError: the row has no prompt, or one of the wrong shape.
            ConfigurationError: the job names no model, and the row is no batch line with its own.
        """
        try:
            body = self._body(prompt.columns)
            if names := self._job.prompt.image_columns:
                messages = cast("list[Message]", body["messages"])
                body["messages"] = self._images.attached(messages, names, prompt)
            canonical = _canonical.encode((prompt.id, body))
        except (UnicodeError, RecursionError) as error:
            raise RowError(
                ErrorClass.INVALID_ROW, f"the request is no valid JSON: {error}"
            ) from None
        key = _key_of(canonical)
        request = Request(prompt.row, prompt.id, key, body, prompt.source, len(canonical))
        if not (_is_deterministic(body) if self._shares is None else self._shares):
            return request
        # The body in [id,body], which may hold an image.
        start = len(_canonical.encode(prompt.id)) + 2
        return request._replace(content=_key_of(memoryview(canonical)[start:-1]))

    def _body(self, columns: Mapping[str, object]) -> dict[str, object]:
        body = self._asked(columns)
        return body if self._answer_format is None else formatted(body, self._answer_format)

    def _asked(self, columns: Mapping[str, object]) -> dict[str, object]:
        if self._template is None and "body" in columns and "custom_id" in columns:
            return self._batch_body(columns)
        if not self._model:
            raise ConfigurationError("the job names no model; give --model, such as glm-4.5-air")
        body = {
            "model": self._model,
            "messages": self._messages(columns),
            **self._job.parameters,
        }
        return self._with_tools(body, columns)

    def _with_tools(
        self, body: dict[str, object], columns: Mapping[str, object]
    ) -> dict[str, object]:
        """Let the tools of the row take the place of the job's, also where its list is empty."""
        name = self._job.prompt.tools_column
        if name is not None and name not in columns and "tools" not in body:
            raise RowError(
                ErrorClass.INVALID_ROW,
                f"no tools in `{name}`; columns: {_names(columns)}"
                f"{did_you_mean(name, columns)} A row without tools has null there, or []",
            )
        given = None if name is None else columns.get(name)
        if name is None or given is None:
            return body
        tools = json_value(decoded(given, name), name)
        if fault := fault_of_tools(tools):
            raise RowError(ErrorClass.INVALID_ROW, f"`{name}`: {fault}")
        body["tools"] = tools
        return body if tools else {key: value for key, value in body.items() if key != "tools"}

    def _batch_body(self, columns: Mapping[str, object]) -> dict[str, object]:
        """Read a batch line: its own body wins over the job's model and parameters."""
        method, url = columns.get("method"), columns.get("url")
        if method not in (None, "POST"):
            raise RowError(ErrorClass.INVALID_ROW, f"`method` is {reprlib.repr(method)}, not POST")
        if url is not None and not (isinstance(url, str) and url in BATCH_URLS):
            raise RowError(
                ErrorClass.INVALID_ROW,
                f"`url` is {reprlib.repr(url)}; "
                f"a batch line asks for one of {', '.join(sorted(BATCH_URLS))}",
            )
        own = json_value(decoded(columns["body"], "body"), "body")
        if not isinstance(own, Mapping):
            raise RowError(ErrorClass.INVALID_ROW, "`body` is not an object")
        for name in sorted(own.keys() & _RUN_DECIDES):
            if (name, own[name]) not in _HARMLESS:
                raise RowError(
                    ErrorClass.INVALID_ROW, f"`body.{name}`: {RESERVED_PARAMETERS[name]}"
                )
        model = own.get("model", self._model)
        if not (isinstance(model, str) and model):
            raise RowError(ErrorClass.INVALID_ROW, "`body.model` is not the name of a model")
        self._check_model(model)
        messages = checked_messages(own.get("messages"), "body.messages")
        parameters = {k: v for k, v in own.items() if k not in RESERVED_PARAMETERS}
        return {"model": model, "messages": messages, **self._job.parameters, **parameters}

    def _check_model(self, model: str) -> None:
        """Keep a batch line to what the job may spend on: each model has its own price."""
        provider = self._job.provider
        allowed = {*provider.allowed_models, provider.model} - {None}
        if allowed.isdisjoint({model, EVERY_MODEL}) and allowed:
            raise RowError(
                ErrorClass.INVALID_ROW,
                f"`body.model` is {reprlib.repr(model)}, which the job does not name; add it to "
                "[provider] allowed_models, or name no model in the job, which allows all",
            )

    def _messages(self, columns: Mapping[str, object]) -> list[Message]:
        spec = self._job.prompt
        system = self._system and self._render(self._system, columns)
        if self._template is not None:
            return dialog(system, self._render(self._template, columns))
        given = columns.get(spec.messages_column)
        if given is not None:
            name = spec.messages_column
            messages = checked_messages(decoded(given, name), name)
            return [{"role": "system", "content": system}, *messages] if system else messages
        content = columns.get(spec.prompt_column)
        if content is None:
            raise RowError(
                ErrorClass.INVALID_ROW,
                f"no prompt: neither `{spec.prompt_column}` nor `{spec.messages_column}`; "
                f"columns: {_names(columns)}{did_you_mean(spec.prompt_column, columns)} "
                "Name one with --prompt-column, or give a --template",
            )
        return dialog(columns.get("system") if self._system is None else system, content)

    def _render(self, template: jinja2.Template, columns: Mapping[str, object]) -> str:
        try:
            # Both reach columns whose names are no identifiers. A column of their name hides one of
            # them; the results of a run, which may be the input of the next, have a column `row`.
            return template.render({"row": columns, "columns": columns, **columns})
        except jinja2.TemplateRuntimeError as error:
            said = str(error.message).removesuffix(".")
            raise RowError(
                ErrorClass.TEMPLATE_ERROR,
                f"{said}{_nearest(said, columns)} The row's columns: {_names(columns)}",
            ) from None
        # A template is the user's program: whatever it raises on this row is this row's error.
        except Exception as error:  # noqa: BLE001
            raise RowError(ErrorClass.TEMPLATE_ERROR, f"{type(error).__name__}: {error}") from None


def _nearest(message: str, columns: Mapping[str, object]) -> str:
    """End a message: an undefined name may mean a column like it, or one with a dot behind it."""
    found = _UNDEFINED.match(message)
    if found is None:
        return "."
    name = found[1]
    dotted = next((column for column in columns if column.startswith(f"{name}.")), None)
    return did_you_mean(name, columns) if dotted is None else f'; write columns["{dotted}"].'


def _names(columns: Mapping[str, object]) -> str:
    names = (f"{name} (null)" if columns[name] is None else name for name in sorted(columns))
    return ", ".join(names) or "none"
