"""What pages say, in English or Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batcher.errors import ErrorClass
from batcher.observe.hints import hint_in_chinese, name_in_chinese
from batcher.observe.language import Lang, Said
from batcher.observe.texts import TEXTS
from batcher.wording import counted, lasting


class Figure(int):
    """A whole number as texts have it: `{n}` with its commas, `{n:row}` also counts the word."""

    def __format__(self, noun: str) -> str:
        """Return the number before `noun`, if there is one."""
        return counted(int(self), noun) if noun else f"{int(self):,}"


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    lang: Lang

    @property
    def tag(self) -> str:
        """The language as HTML names it."""
        return "zh-CN" if self.lang == "zh" else "en"

    def __call__(self, name: str, **figures: object) -> str:
        """Return the text `name`, with its figures: whole numbers are told as a `Figure` is."""
        return self._say(TEXTS[name], figures)

    def _say(self, said: Said, figures: Mapping[str, object]) -> str:
        whole = {name: Figure(n) for name, n in figures.items() if type(n) is int}
        return said.to(self.lang, **{**figures, **whole})

    def lasting(self, seconds: float) -> str:
        """Return a duration in its two largest units."""
        text = lasting(seconds)
        if self.lang == "en":
            return text
        return " ".join(_UNITS.get(part, part) for part in text.split(" "))

    def error(self, error_class: ErrorClass) -> str:
        """Return a class of errors as people call it, with its own name."""
        if self.lang == "en":
            return error_class.value
        return f"{name_in_chinese(error_class)} {error_class.value}"

    def hint(self, error_class: ErrorClass) -> str:
        """Return what to do about a class of errors."""
        if self.lang == "en":
            return error_class.rule.hint
        return hint_in_chinese(error_class)


_UNITS = {"s": "秒", "min": "分钟", "h": "小时", "d": "天"}
