"""What an answer is to hold: a JSON Schema, how a model is told of it, and how answers are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batcher.job import OutputSpec
from batcher.structured.checking import Validate, checked
from batcher.structured.complaints import MOST_CHARACTERS, cut
from batcher.structured.fields import schema_of
from batcher.structured.kinds import MisfitError, StructOf, fields_of, shaped
from batcher.structured.reading import InvalidAnswerError, objects_in

_ASKED = (
    "Answer with one JSON object that is valid under the JSON Schema below, and with nothing else: "
    "no explanation, no code fence.\nJSON Schema:\n"
)


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """How one provider is asked for values of a schema.

    `response_format` is the parameter of that name, unless the job has one of its own; None where
    the model takes none. What it holds is `shown` to the model, or else `instructions` are to go
    into the system message.
    """

    response_format: Mapping[str, Any] | None
    instructions: str
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """The values that answers hold: objects of `schema`, whose fields are those of `kind`."""

    schema: Mapping[str, Any]
    kind: StructOf
    _validate: Validate = field(compare=False, repr=False)

    @classmethod
    def of(cls, spec: OutputSpec) -> Structure | None:
        """Return the structure that a job wants; None where it takes answers as they are.

        Raises:
            ConfigurationError: the schema or a field is wrong.
        """
        if spec.schema is not None:
            return cls.of_schema(spec.schema)
        return cls.of_schema(schema_of(spec.fields)) if spec.fields is not None else None

    @classmethod
    def of_schema(cls, schema: Mapping[str, Any]) -> Structure:
        """Return the structure of a JSON Schema.

        Raises:
            ConfigurationError: it is none, or not one of an object.
        """
        validate, resolve = checked(schema)
        return cls(schema, StructOf(fields_of(schema, resolve)), validate)

    @property
    def instructions(self) -> str:
        """What a model is told that does not get the schema in another way.

        The last line is the schema as compact JSON, the one before is "JSON Schema:".
        """
        return _ASKED + _compact(self.schema)

    def read(self, text: str) -> str:
        """Return the valid object that an answer's text holds, as compact JSON.

        Its keys come in the schema's order. Of several objects, the one that is valid is taken.

        Raises:
            InvalidAnswerError: there is none, or more than one that is valid.
        """
        try:
            return self._read(text)
        except RecursionError:
            raise InvalidAnswerError("The answer is nested too deeply.") from None
        except InvalidAnswerError as error:
            raise InvalidAnswerError(cut(str(error), MOST_CHARACTERS)) from None
        # A format or a pattern of the user's meets text of a model's: what that does to a library
        # is no reason to stop all other rows.
        except Exception as error:  # noqa: BLE001
            said = cut(f"{type(error).__name__}: {error}", MOST_CHARACTERS // 2)
            raise InvalidAnswerError(f"The answer could not be checked: {said}") from None

    def _read(self, text: str) -> str:
        valid = []
        wrong = None
        for value in objects_in(text):
            complaint = self._validate(value)
            if complaint is None:
                valid.append(value)
            else:
                wrong = complaint
        texts = list(dict.fromkeys(map(self._shaped, valid)))
        if len(texts) > 1:
            raise InvalidAnswerError(
                f"The answer holds {len(texts)} different JSON objects. Answer with one."
            )
        if not texts:
            raise InvalidAnswerError(str(wrong))
        return texts[0]

    def _shaped(self, value: object) -> str:
        try:
            return _compact(shaped(value, self.kind))
        except MisfitError as error:
            raise InvalidAnswerError(f"`{error.path}` {error}.") from None


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
