"""Images of a row in its last user message."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import ErrorClass, RowError
from batcher.job import JobSpec, PromptSpec, ProviderSpec
from batcher.limits import ImageRules
from batcher.providers import provider_named
from batcher.records import Prompt, Request, Source
from batcher.render import Images, Renderer, UnusableImageError, shortened
from tests.pictures import bare, noisy_picture, picture

PNG = picture("PNG")
GLM, OPENAI = provider_named("glm").images, provider_named("openai").images


def read(path: str, file: str, most: int) -> bytes:
    assert file == "photos/rows.jsonl"
    if path != "cat.png":
        raise UnusableImageError(f"{path!r}: No such file or directory")
    return PNG[: most + 1]


def render(columns: Mapping[str, object], rules: ImageRules = GLM, *names: str) -> Request:
    spec = PromptSpec(image_columns=names or ("photo",))
    job = JobSpec(provider=ProviderSpec(model="glm-4.6v"), prompt=spec)
    columns = {"prompt": "What is it?", **columns}
    prompt = Prompt(3, "a", columns, Source("photos/rows.jsonl", 4))
    return Renderer(job, images=Images(rules, read))(prompt)


def urls(columns: Mapping[str, object], rules: ImageRules = GLM, *names: str) -> list[str]:
    messages: Any = render(columns, rules, *names).body["messages"]
    text, *parts = messages[-1]["content"]
    assert text == {"type": "text", "text": "What is it?"}
    assert all(part["type"] == "image_url" for part in parts)
    return [part["image_url"]["url"] for part in parts]


def refused(value: object, rules: ImageRules = GLM) -> str:
    with pytest.raises(RowError) as raised:
        render({"photo": value}, rules)
    assert raised.value.problem.error_class is ErrorClass.INVALID_ROW
    prefix, _, message = raised.value.problem.message.partition(": ")
    assert prefix == "the image in column `photo`"
    return message


@pytest.mark.parametrize(
    "value",
    [
        PNG,
        bytearray(PNG),
        {"bytes": PNG, "path": None},
        {"bytes": PNG, "path": "elsewhere.png"},
        {"bytes": None, "path": "cat.png"},
        {"path": "cat.png"},
        "cat.png",
        f"data:image/png;base64,{bare(PNG)}",
        f"DATA:;BASE64,{bare(PNG)}",
        [PNG],
        ["cat.png"],
    ],
)
def test_each_form_of_an_image_becomes_the_same_part(value: object) -> None:
    assert urls({"photo": value}) == [bare(PNG)]
    assert urls({"photo": value}, OPENAI) == [f"data:image/png;base64,{bare(PNG)}"]


@given(st.binary())
def test_what_was_sent_holds_the_bytes_as_they_were(tail: bytes) -> None:
    (url,) = urls({"photo": PNG + tail})
    assert base64.b64decode(url, validate=True) == PNG + tail


@pytest.mark.parametrize("url", ["https://example.com/a.jpg?x=1#y", "HTTP://127.0.0.1:8/a"])
def test_an_address_is_passed_on_and_never_asked(url: str) -> None:
    assert urls({"photo": url}) == [url]


def test_several_images_stand_in_the_order_of_columns_and_lists() -> None:
    columns = {"b": ["https://b/1", "https://b/2"], "a": "https://a"}
    assert urls(columns, GLM, "a", "b") == ["https://a", "https://b/1", "https://b/2"]


def test_the_type_is_that_of_the_content_whatever_is_said_of_it() -> None:
    uri = f"data:image/png;base64,{bare(picture('JPEG'))}"
    assert urls({"photo": uri}, OPENAI) == [f"data:image/jpeg;base64,{bare(picture('JPEG'))}"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "there is none"),
        ([], "there is none"),
        (b"", "there is none"),
        ("", "there is none"),
        ([PNG, None], "there is none"),
        ({"bytes": None, "path": None}, "there is none"),
        ([b""], "its bytes: empty"),
        (7, "it is a number; write bytes, a path, an http(s) URL or a data: URI"),
        ({"url": "https://x"}, "it is an object; write bytes, a path,"),
        ([[PNG]], "it is a list; write bytes"),
        ("   ", "its path is empty"),
        ("dog.png", "'dog.png': No such file or directory"),
        ("file:///etc/passwd", "'file:///etc/passwd' is neither an http(s) URL nor a data: URI"),
        ("s3://bucket/a.png", "'s3://bucket/a.png' is neither"),
        ("https://", "'https://' is no URL"),
        ("https://[::1/a", "is no URL"),
        ("http://a/b c", "is no URL"),
        ("http://a/b\n", "is no URL"),
        ("data:image/png,abc", "its data: URI is not of the form data:image/png;base64,..."),
        ("data:image/png;base64", "its data: URI is not of the form"),
        ("data:image/png;base64,!!", "its data: URI is no base64"),
        ("data:image/png;base64,é", "its data: URI is no base64"),
        (b"no image", "its bytes: no image, or a damaged one; png or jpeg is taken"),
        (picture("WEBP"), "its bytes: a webp; only png or jpeg is taken"),
        (picture("PNG", 6001, 1), "its bytes: 6001 x 1 pixels; at most 6000 x 6000 are taken"),
        (picture("PNG", 1, 6001), "its bytes: 1 x 6001 pixels"),
        (PNG + bytes(5 << 20), "its bytes: 5.0 MiB; at most 5.0 MiB are taken, so make it smaller"),
        (f"data:;base64,{bare(bytes(6 << 20))}", "its data: URI: 6.0 MiB; at most 5.0 MiB"),
    ],
)
def test_an_image_that_cannot_be_sent_is_an_error_of_its_row(value: object, message: str) -> None:
    assert message in refused(value)


@pytest.mark.parametrize("kind", ["WEBP", "GIF"])
def test_another_provider_takes_other_types(kind: Any) -> None:  # noqa: ANN401 -- a literal
    assert len(urls({"photo": picture(kind)}, OPENAI)) == 1


def test_the_images_of_a_row_are_bounded_together() -> None:
    rules = ImageRules(max_bytes=100_000, max_total_bytes=60_000)
    large = noisy_picture(100)
    assert len(urls({"photo": [large]}, rules)) == 1
    assert "at most 0.0 MiB" in refused([large, large], rules)


def test_images_go_to_the_last_user_message_behind_its_parts() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "then"},
    ]
    sent: Any = render({"messages": messages, "photo": PNG}).body["messages"]
    assert sent[0] == messages[0]
    assert sent[2]["content"] == [
        *parts,
        {"type": "image_url", "image_url": {"url": bare(PNG)}},
    ]


def test_a_batch_line_gets_its_images_too() -> None:
    body = {"messages": [{"role": "user", "content": "What is it?"}]}
    assert urls({"custom_id": "a", "body": body, "photo": PNG}) == [bare(PNG)]


def test_without_a_user_message_there_is_no_place_for_images() -> None:
    messages = [{"role": "tool", "tool_call_id": "c", "content": "7"}]
    with pytest.raises(RowError, match="no user message"):
        render({"messages": messages, "photo": PNG})


def test_a_missing_column_is_a_missing_image() -> None:
    with pytest.raises(RowError, match="the image in column `photo`: there is none"):
        render({})


def test_the_key_changes_with_the_image_and_the_size_counts_it() -> None:
    one, other = render({"photo": PNG}), render({"photo": picture("PNG", 9)})
    assert one.key != other.key
    assert one.key == render({"photo": "cat.png"}).key
    assert render({"photo": noisy_picture(200)}).size > 200 * 200 * 3


def test_without_a_reader_no_file_is_read() -> None:
    with pytest.raises(UnusableImageError, match="no files are read here"):
        Images().read("cat.png", "rows.jsonl", 7)


def test_for_people_an_image_is_its_type_and_size() -> None:
    body = shortened(render({"photo": noisy_picture(20)}, OPENAI).body)
    said = str(body)
    assert re.search(r"\(image/png, 20 x 20, [\d,]+ bytes\)", said)
    assert "What is it?" in said
    assert len(said) < 300


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/" + "a" * 200, "https://example.com/" + "a" * 200),
        ("short", "short"),
        ("!" * 201, "(201 characters that are no base64)"),
        (bare(bytes(300)), "(no known image, 300 bytes)"),
    ],
)
def test_for_people_addresses_stay_and_what_is_no_image_is_told(url: str, shown: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    body: Any = shortened({"messages": [{"role": "user", "content": [part]}]})
    (message,) = body["messages"]
    assert message["content"][0]["image_url"] == {"url": shown, "detail": "low"}
