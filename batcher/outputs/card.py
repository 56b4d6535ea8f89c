"""The card of a Hugging Face dataset: README.md, its metadata and what a reader must know.

https://huggingface.co/docs/hub/datasets-cards and .../datasets-manual-configuration say what the
metadata may hold, `datasets.utils.metadata` how it is read. License and language are not guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from batcher.money import amount
from batcher.outputs.features import Feature
from batcher.outputs.figures import Figures
from batcher.outputs.front_matter import Metadata, sealed
from batcher.outputs.layout import ANSWER, HEAD
from batcher.wording import counted

NAME = "README.md"

_MEANINGS = {
    "row": "number of the row in the input, from 0",
    "id": "id of the row",
    "sample": "number of the answer among those to the same row",
    "response": "the model's answer",
    "reasoning": "what the model thought before it",
    "tool_calls": "the tools it wants to be called, as JSON",
    "finish_reason": "`stop`, `length` (cut at `max_tokens`), `tool_calls`, ...",
    "model": "the model, as the provider named it",
    "prompt_tokens": "tokens of the request",
    "completion_tokens": "tokens of the answer, with those of its reasoning",
    "cached_tokens": "of the request's, those that the provider had in its cache",
    "reasoning_tokens": "of the answer's, those of its reasoning",
    "cost": "what the row cost, in units of `currency`",
    "currency": "its currency",
    "attempts": "calls made for the row",
    "ambiguous_attempts": "of these, sent and not answered whole",
    "repairs": "how often the model was asked again for a valid answer",
    "answered_by": "`call`, `duplicate` (another row's call) or `cache`",
    "latency_s": "seconds of the last call",
    "finished_at": "when the answer was there",
    "request_id": "id of the last call",
    "key": "hash of what was asked",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """How a dataset came to be: what its own rows do not say.

    `settings` are those that shaped the requests: model, parameters and templates, by their names
    in a job file. `provider` says whom the run called, `priced_by` by whose prices its cost is
    counted. Columns of `images` hold pictures.
    """

    version: str
    settings: Mapping[str, object]
    simulated: bool = False
    provider: str | None = None
    priced_by: str | None = None
    inputs: Sequence[str] = ()
    images: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Data:
    """The files that a card describes: a pattern for their names, and what is in them.

    `bytes` is their size in memory, `download` on disk.
    """

    pattern: str
    schema: pa.Schema
    features: list[Feature]
    rows: int
    bytes: int
    download: int


def card(data: Data, figures: Figures, origin: Origin, kept: Metadata | None = None) -> bytes:
    """Return the text of a card, with metadata that its user added to the one before.

    The same data, origin and metadata make the same bytes.
    """
    metadata = {**(kept or _FIRST), **_metadata(data)}
    missing = [name for name in ("license", "language") if name not in metadata]
    sections = (
        *_introduction(figures, origin),
        "## How it was made\n",
        *_making(figures, origin),
        "## Columns\n",
        _table(data),
        "## How to load it\n",
        _LOADING,
        *(
            f"This card names no {name}: add `{name}:` at its top. Another export keeps it.\n"
            for name in missing
        ),
    )
    return sealed(metadata, "\n".join(sections))


_FIRST: Metadata = {"tags": ["synthetic", "batcher"]}


def _metadata(data: Data) -> Metadata:
    return {
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": data.pattern}],
            }
        ],
        "dataset_info": {
            "features": data.features,
            "splits": [{"name": "train", "num_bytes": data.bytes, "num_examples": data.rows}],
            "download_size": data.download,
            "dataset_size": data.bytes,
        },
    }


def _introduction(figures: Figures, origin: Origin) -> Iterator[str]:
    models = ", ".join(_code(name) for name, _ in figures.models.most_common()) or "no model"
    author = f"batcher's simulator, in the name of {models}," if origin.simulated else models
    yield "# Answers of a language model\n"
    if origin.simulated:
        yield (
            "> **Simulated.** These answers were made up by batcher's simulator to try a job out. "
            "No model was asked; they say nothing about one.\n"
        )
    yield (
        f"The answers in this dataset are machine-made: {author} wrote them, and nobody has "
        "checked them unless you add here that somebody did. They can be wrong, biased or made "
        "up. The terms of the model's provider may limit what they may be used for.\n"
    )


def _making(figures: Figures, origin: Origin) -> Iterator[str]:
    yield f"Made with batcher {origin.version}{_from(origin.inputs)}.\n"
    yield "\n".join(_facts(figures, origin)) + "\n"
    if figures.errors:
        yield (
            "Rows that ended in an error are not in this dataset; what was refused or failed can "
            "make what is left unlike the input.\n"
        )
    if figures.pending:
        yield (
            f"When this was exported, {counted(figures.pending, 'row')} of the input had no "
            "outcome yet.\n"
        )
    yield from _settings(origin.settings)


def _from(inputs: Sequence[str]) -> str:
    """Return the names of the input's files; not their folders, which are nobody's business."""
    names = list(dict.fromkeys(re.split(r"[/\\]", name)[-1] for name in inputs))
    shown = ", ".join(_code(name) for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f" from {shown}{more}" if names else ""


_SHOWN = 5


def _facts(figures: Figures, origin: Origin) -> Iterator[str]:
    tokens = figures.tokens
    yield "| | |\n|---|---|"
    yield f"| model | {_list(figures.models) or 'none'} |"
    if origin.provider:
        yield f"| provider | {origin.provider} |"
    if figures.first and figures.last:
        first, last = (f"{moment:%Y-%m-%d %H:%M} UTC" for moment in (figures.first, figures.last))
        yield f"| answered | {first if first == last else f'{first} to {last}'} |"
    yield f"| results | {figures.results:,} |"
    if figures.truncated:
        yield f"| of these cut at `max_tokens` | {figures.truncated:,} |"
    for where in ("duplicate", "cache"):
        if rows := figures.answered_by[where]:
            yield f"| of these answered by {_WHERE[where]} | {rows:,} |"
    if figures.repairs:
        yield f"| answers asked for again, since they were not valid | {figures.repairs:,} |"
    yield f"| errors | {_list(figures.errors) or '0'} |"
    yield (
        f"| tokens of the results | {tokens['prompt_tokens']:,} in "
        f"({tokens['cached_tokens']:,} cached), {tokens['completion_tokens']:,} out "
        f"({tokens['reasoning_tokens']:,} reasoning) |"
    )
    if figures.currency is not None:
        prices = f" by the prices of {origin.priced_by}" if origin.priced_by else ""
        unknown = (
            f"; that of {counted(figures.unpriced, 'result')} is unknown and not in it"
            if figures.unpriced
            else ""
        )
        yield f"| cost | {amount(figures.cost)} {figures.currency}{prices}{unknown} |"


_WHERE = {"duplicate": "the call of a row that asks the same", "cache": "the cache"}


def _list(counts: Mapping[str, int]) -> str:
    """Return what was counted, most first; with its number where there is more than one."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{_code(name)} ({rows:,})" for name, rows in ordered)


def _settings(settings: Mapping[str, object]) -> Iterator[str]:
    """Yield what shaped the requests: texts of several lines as blocks, the rest as a table."""
    blocks = {name: value for name, value in settings.items() if _is_block(value)}
    short = {name: value for name, value in settings.items() if name not in blocks}
    if short:
        yield "The settings of its requests:\n"
        rows = (
            f"| {_code(name)} | {_code(_shown(value))} |" for name, value in sorted(short.items())
        )
        yield "| setting | value |\n|---|---|\n" + "\n".join(rows) + "\n"
    for name, value in sorted(blocks.items()):
        yield f"{_code(name)}:\n"
        yield _fenced(_shown(value, indent=2))


def _is_block(value: object) -> bool:
    return "\n" in _shown(value) or len(_shown(value)) > _LONG


_LONG = 60


def _shown(value: object, indent: int | None = None) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _fenced(text: str) -> str:
    """Return `text` as a code block, whatever backticks it holds."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}\n"


def _code(text: str) -> str:
    """Return `text` as code within a line of a table, whatever it holds."""
    line = re.sub(r"\s+", " ", text).replace("|", "\\|")
    longest = max(map(len, re.findall(r"`+", line)), default=0)
    tick = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{tick}{pad}{line}{pad}{tick}" if line.strip() else "` `"


def _table(data: Data) -> str:
    ours = {*HEAD.names, "sample", *ANSWER.names}
    lines = ["| column | type | meaning |", "|---|---|---|"]
    for field in data.schema:
        if field.name in ours:
            meaning = _MEANINGS.get(field.name, "")
        elif field.name.startswith("out."):
            meaning = "from the answer, checked against the job's schema"
        else:
            meaning = "from the input"
        lines.append(f"| {_code(field.name)} | {_code(str(field.type))} | {meaning} |")
    return "\n".join(lines) + "\n"


_LOADING = """\
```python
from datasets import load_dataset

rows = load_dataset("PATH OR NAME OF THIS DATASET", split="train")
```
"""
