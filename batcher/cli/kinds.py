"""What an option or an argument takes: its kinds of values, and what is wrong with others."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click


class Parameter(click.ParamType[tuple[str, object], str]):
    """NAME=VALUE; the value is read as JSON where it is JSON, else as text."""

    name = "NAME=VALUE"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, object]:
        """Split and type one parameter."""
        name, equals, text = value.partition("=")
        if not (name and equals):
            self.fail(f"{value!r} is not NAME=VALUE, such as temperature=0.2", param, ctx)
        try:
            return name, json.loads(text, parse_constant=_refuse)
        except ValueError:
            return name, text


class Field(click.ParamType[tuple[str, object], str]):
    """NAME=TYPE, or the choices in the place of a type, with commas between them."""

    name = "NAME=TYPE"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, object]:
        """Split one field; the job validates its type."""
        name, equals, form = value.partition("=")
        if not (name and equals and form):
            self.fail(
                f"{value!r} is not NAME=TYPE, such as label=pos,neg or score=number", param, ctx
            )
        choices = [choice.strip() for choice in form.split(",")]
        return name, choices if len(choices) > 1 else form


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


class NumberOr(click.ParamType[int | str, str]):
    """A number, or what `name` says: a share such as 1%, or auto."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Tell numbers from shares; the job validates the rest."""
        del param, ctx
        return int(value) if value.isdecimal() else value


class Directory(click.Path):
    """A directory; where there is none of this name, the nearest one is told."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        """Check a directory."""
        from batcher.wording import did_you_mean

        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            path = Path(value)
            beside = path.parent.iterdir() if path.parent.is_dir() else ()
            near = did_you_mean(path.name, [other.name for other in beside if other.is_dir()])
            self.fail(f"{error.message.rstrip('.')}{near}", param, ctx)
