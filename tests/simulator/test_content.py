"""What a message may hold beside its text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from batcher.simulator.codes import RefusedError
from batcher.simulator.content import text_of
from batcher.simulator.validate import Asked
from tests.pictures import bare, noisy_picture, picture

MakeAsked = Callable[..., Asked]

PNG = picture("PNG", 56, 57)


def image(url: object) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("url", "tokens"),
    [
        (bare(PNG), 2 * 3),
        (f"data:image/png;base64,{bare(PNG)}", 2 * 3),
        (bare(picture("JPEG", 28, 28)), 1),
        ("https://example.com/a.png", 1000),
    ],
)
def test_a_model_that_sees_takes_an_image_which_costs_tokens(
    make_asked: MakeAsked, url: str, tokens: int
) -> None:
    asked = make_asked([{"type": "text", "text": "look"}, image(url)], model="glm-4.6v")
    assert asked.prompt_tokens == 1 + 6 + tokens
    assert asked.subject == "look"


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("cat.png", "no URL, and no base64"),
        ("data:image/png;base64,!!", "no URL, and no base64"),
        ("", "no png or jpg"),
        (bare(b"no image"), "no png or jpg"),
        (bare(picture("WEBP")), "no png or jpg"),
        (bare(picture("PNG", 6001, 1)), "more than 5 MB or 6000x6000"),
        (bare(noisy_picture(1400)), "more than 5 MB or 6000x6000"),
    ],
)
def test_an_image_that_is_none_or_too_large_is_refused(
    make_asked: MakeAsked, url: str, detail: str
) -> None:
    with pytest.raises(RefusedError) as raised:
        make_asked([image(url)], model="glm-4.6v")
    assert raised.value.code == "1210"
    assert raised.value.detail == f"messages[0].content[0].image_url.url: {detail}"


@pytest.mark.parametrize("model", ["glm-4-flash", "glm-4.6", "glm-4-voice"])
@pytest.mark.parametrize(
    "part", [image(bare(PNG)), {"type": "video_url", "video_url": {"url": "https://a"}}]
)
def test_a_model_of_text_refuses_what_is_to_be_seen(
    make_asked: MakeAsked, model: str, part: dict[str, object]
) -> None:
    with pytest.raises(RefusedError) as raised:
        make_asked([{"type": "text", "text": "look"}, part], model=model)
    assert raised.value.code == "1210"
    assert raised.value.detail == "messages[0].content[1]: the model takes text only"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a", "a"),
        ([{"type": "text", "text": "a"}, 7, {"text": 8}, {"type": "text", "text": "b"}], "a\nb"),
        (None, ""),
        ({"text": "a"}, ""),
    ],
)
def test_the_text_of_a_content_is_found_whatever_it_is(content: object, text: str) -> None:
    assert text_of(content) == text
