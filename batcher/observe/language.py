"""The two languages of pages and alerts."""

from __future__ import annotations

from typing import Literal, NamedTuple

Lang = Literal["en", "zh"]


class Said(NamedTuple):
    """A text in each language, with the same {figures}."""

    en: str
    zh: str

    def to(self, lang: Lang, **figures: object) -> str:
        """Return the text for those who read `lang`, with its figures."""
        text = self.zh if lang == "zh" else self.en
        return text.format_map(figures) if figures else text
