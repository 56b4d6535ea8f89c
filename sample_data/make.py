"""Make prompts.jsonl, prompts.parquet and batch.jsonl from the hand-written reviews.jsonl.

Also some small pictures in images/, and images.jsonl with a question on each.

    python sample_data/make.py [DIRECTORY]

The files go beside this script, or to DIRECTORY. Every invented value (price, date, shop) is
drawn from a hash of the row's id, so that the same reviews always make the same files.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
SHANGHAI = "Asia/Shanghai"
BATCH_ROWS = 40
ROW_GROUP_ROWS = 50  # several row groups, so that reading may start at one

Row = Mapping[str, Any]
T = TypeVar("T")

QUESTIONS = {
    "zh": "判断下面这条评论的情感，从“正面”“负面”“中性”中选一个，只回答标签。\n\n评论：{review}",
    "en": (
        "Classify the sentiment of this review as positive, negative or neutral. "
        "Answer with the label only.\n\nReview: {review}"
    ),
}
SYSTEMS = {
    "zh": "你是一名认真的评论标注员，注意识别反话。",
    "en": "You label reviews with care, and you notice sarcasm.",
}
TAGS = {
    "restaurant": ("taste", "service", "price", "waiting", "味道", "分量"),
    "product": ("quality", "delivery", "price", "support", "做工", "物流"),
    "app": ("design", "ads", "crash", "update", "广告", "界面"),
    "book": ("plot", "style", "paper", "translation", "文笔", "情节"),
    "travel": ("room", "view", "staff", "transport", "风景", "位置"),
    "service": ("speed", "attitude", "price", "result", "态度", "效率"),
}
SHOPS = {
    "zh": ("青石小铺", "南风堂", "拾光里", "三棵树杂货", "云上集", "半亩田"),
    "en": ("Copper Kettle", "Fern & Field", "Little Harbor", "Oddly Useful", "Quiet Mill"),
}
CITIES = {
    "zh": ("杭州", "成都", "北京", "西安", "广州", "哈尔滨"),
    "en": ("Leeds", "Portland", "Dublin", "Wellington", "Halifax"),
}

SIDE = 32
WHITE, RED, BLUE, YELLOW = range(4)
COLOURS = bytes([255, 255, 255, 220, 30, 40, 30, 60, 200, 250, 210, 40])
PICTURES: dict[str, Callable[[int, int], int]] = {
    "circle": lambda x, y: RED if (x - 16) ** 2 + (y - 16) ** 2 < 120 else WHITE,  # noqa: PLR2004 -- its radius, squared
    "stripes": lambda _, y: BLUE if y // 8 % 2 else YELLOW,
    "chart": lambda x, y: BLUE if x % 8 < 5 and SIDE - y < x // 8 * 8 + 8 else WHITE,  # noqa: PLR2004 -- bars that rise
}
IMAGE_ROWS: list[Row] = [
    {"id": "circle", "question": "图中是什么形状？", "photo": "images/circle.png"},
    {"id": "stripes", "question": "Which colours are there?", "photo": "images/stripes.png"},
    {"id": "chart", "question": "图表是上升还是下降？", "photo": "images/chart.png"},
]

COLUMNS: list[tuple[str, pa.DataType]] = [
    ("id", pa.string()),
    ("prompt", pa.string()),
    ("lang", pa.string()),
    ("category", pa.dictionary(pa.int32(), pa.string())),
    ("stars", pa.int8()),
    ("price", pa.decimal128(9, 2)),
    ("reviewed_at", pa.timestamp("ms", SHANGHAI)),
    ("tags", pa.list_(pa.string())),
    ("shop", pa.struct([pa.field("name", pa.string()), pa.field("city", pa.string())])),
    ("helpful", pa.uint32()),
    ("verified", pa.bool_()),
]


def make(directory: Path) -> None:
    """Write the derived files to `directory`."""
    with (HERE / "reviews.jsonl").open(encoding="utf-8") as file:
        reviews = [json.loads(line) for line in file]
    write_jsonl(directory / "prompts.jsonl", map(prompt_row, reviews))
    write_jsonl(directory / "batch.jsonl", map(batch_row, reviews[:BATCH_ROWS]))
    table = pa.Table.from_pylist([typed_row(review) for review in reviews], pa.schema(COLUMNS))
    pq.write_table(table, directory / "prompts.parquet", row_group_size=ROW_GROUP_ROWS)
    (directory / "images").mkdir(exist_ok=True)
    for name, pixel in PICTURES.items():
        (directory / "images" / f"{name}.png").write_bytes(png(pixel))
    write_jsonl(directory / "images.jsonl", IMAGE_ROWS)


def prompt_row(review: Row) -> dict[str, Any]:
    """Return the review as a row with a whole prompt, in the review's language."""
    return {
        "id": review["id"],
        "prompt": QUESTIONS[review["lang"]].format(review=review["review"]),
        "lang": review["lang"],
        "category": review["category"],
        "stars": review["stars"],
    }


def batch_row(review: Row) -> dict[str, Any]:
    """Return the review as a line of the provider's batch format (protocol.md section 6)."""
    row_id, lang = review["id"], review["lang"]
    body: dict[str, Any] = {
        "model": "glm-4-flash",
        "messages": [
            {"role": "system", "content": SYSTEMS[lang]},
            {"role": "user", "content": prompt_row(review)["prompt"]},
        ],
    }
    if draw(row_id, "temperature", 2):
        body["temperature"] = 0.1
    if draw(row_id, "max_tokens", 2):
        body["max_tokens"] = 16
    return {
        "custom_id": f"review-{row_id}",
        "method": "POST",
        "url": "/v4/chat/completions",
        "body": body,
    }


def typed_row(review: Row) -> dict[str, Any]:
    """Return the prompt row with columns of many types, about one in twelve of them null."""
    row_id, lang, category = review["id"], review["lang"], review["category"]
    day = datetime(2025, 1, 1, tzinfo=ZoneInfo(SHANGHAI))
    first_tag = draw(row_id, "first tag", len(TAGS[category]))
    extra = {
        "price": Decimal(draw(row_id, "price", 99_999)) / 100,
        "reviewed_at": day + timedelta(milliseconds=draw(row_id, "time", 365 * 86_400_000)),
        "tags": TAGS[category][first_tag : first_tag + draw(row_id, "tags", 4)],
        "shop": {
            "name": pick(row_id, "shop", SHOPS[lang]),
            "city": pick(row_id, "city", CITIES[lang]) if draw(row_id, "no city", 6) else None,
        },
        "helpful": draw(row_id, "helpful", 500),
        "verified": bool(draw(row_id, "verified", 4)),
    }
    for name in extra:
        if not draw(row_id, f"no {name}", 12):
            extra[name] = None
    return prompt_row(review) | extra


def png(pixel: Callable[[int, int], int]) -> bytes:
    """Return a picture of SIDE x SIDE pixels, each of the colour that `pixel` numbers.

    What is packed is only stored: any zlib makes the same bytes of it.
    """
    lines = (bytes([0, *(pixel(x, y) for x in range(SIDE))]) for y in range(SIDE))
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", SIDE, SIDE, 8, 3, 0, 0, 0),
        b"PLTE": COLOURS,
        b"IDAT": zlib.compress(b"".join(lines), level=0),
        b"IEND": b"",
    }
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def draw(row_id: str, purpose: str, below: int) -> int:
    """Return a number from 0 to `below` - 1 that depends on the row and the purpose alone."""
    digest = hashlib.blake2b(f"{row_id} {purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % below


def pick(row_id: str, purpose: str, choices: Sequence[T]) -> T:
    """Return one of `choices`, drawn as `draw` does."""
    return choices[draw(row_id, purpose, len(choices))]


def write_jsonl(path: Path, rows: Iterable[Row]) -> None:
    """Write `rows` to `path`, one JSON object a line, UTF-8 unescaped."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
