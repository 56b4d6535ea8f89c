"""Prompt templates: Jinja2 in its sandbox, strict, and the same on every run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from uuid import UUID

import jinja2
import msgspec
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batcher.errors import ConfigurationError
from batcher.wording import kind_of

# What a template may print: data, whose text is the same on every machine; and what is undefined,
# which complains for itself.
_PRINTABLE = (
    *(str, int, float, Decimal, date, time, timedelta, UUID, list, tuple, Mapping),
    jinja2.Undefined,
)


def environment() -> jinja2.Environment:
    """Return the sandbox of templates: strict, and without what differs from run to run."""
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        finalize=_printed,
    )
    # A prompt drawn by chance would have another key, and be paid again, on the next run.
    del environment.globals["lipsum"], environment.filters["random"]
    environment.filters["tojson"] = _to_json
    return environment


def compiled(
    environment: jinja2.Environment, name: str, text: str | None
) -> jinja2.Template | None:
    """Return the template `text`, which the job calls `name`; None where there is no text.

    Raises:
        ConfigurationError: it is not Jinja2.
    """
    if text is None:
        return None
    try:
        return environment.from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise ConfigurationError(f"the {name}, line {error.lineno}: {error.message}") from None
    # Jinja2 makes Python of it, and Python has bounds of its own.
    except (SyntaxError, RecursionError) as error:
        raise ConfigurationError(f"the {name} cannot be compiled: {error}") from None


def _printed(value: object) -> object:
    """Let only data into a prompt; a null or a Python object there is a slip of the template.

    Raises:
        TemplateRuntimeError: this is none; the message says what to write instead.
    """
    if isinstance(value, _PRINTABLE):
        return value
    if value is None:
        raise jinja2.TemplateRuntimeError(
            "a printed value is null; write {{ name or '' }} where that is meant"
        )
    if isinstance(value, bytes):
        raise jinja2.TemplateRuntimeError(
            "a printed value is bytes; write {{ name.decode() }} if it is text"
        )
    raise jinja2.TemplateRuntimeError(
        f"a printed value is {kind_of(value)}, no data; a column is also reached as "
        "row['its name'], and what a filter yields is printed by `| list` or `| join`"
    )


def _to_json(value: object, indent: int | None = None) -> str:
    """Return compact JSON text; Jinja2's own escapes it for HTML, and Chinese by numbers."""
    text = msgspec.json.encode(value, enc_hook=lambda item: str(_printed(item)))
    return (msgspec.json.format(text, indent=indent) if indent else text).decode()
