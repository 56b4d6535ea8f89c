"""A card as a file: what its user may change in it, and what an export then keeps."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import OutputError
from batcher.outputs.front_matter import OURS, Metadata, kept_metadata, sealed

METADATA = {"tags": ["synthetic"], "configs": [], "dataset_info": {}}
CARD = sealed(METADATA, "# Answers\n\nThey are machine-made.\n").decode()

_TEXTS = st.text(st.characters(codec="utf-8"))
_VALUES = _TEXTS | st.booleans() | st.integers()


def test_a_card_as_it_was_written_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    assert kept_metadata(path) == {}
    path.write_text(CARD, "utf-8")
    assert kept_metadata(path) == {"tags": ["synthetic"]}


@given(
    kept=st.dictionaries(
        _TEXTS.filter(lambda name: name not in OURS), _VALUES | st.lists(_VALUES), min_size=1
    ),
    text=st.text(),
)
def test_metadata_of_the_user_comes_back_from_a_card_of_any_text(kept: Metadata, text: str) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "README.md"
        path.write_bytes(sealed({**kept, **METADATA, "tags": 1}, text))
        assert kept_metadata(path) == {**kept, "tags": 1}


def test_what_the_user_adds_at_the_top_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(CARD.replace("tags:\n", "license: mit\ntags:\n- mine\n", 1), "utf-8")
    assert kept_metadata(path) == {"license": "mit", "tags": ["mine", "synthetic"]}


def test_other_ends_of_lines_are_no_edit(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(CARD.replace("\n", "\r\n").encode())
    assert kept_metadata(path) == {"tags": ["synthetic"]}


@pytest.mark.parametrize(
    "content",
    [
        "# Mine\n",
        "---\nlicense: mit\n---\n# Mine\n",
        "",
        CARD.replace("machine-made", "hand-made"),
        f"{CARD}More.\n",
    ],
)
def test_a_text_of_the_users_or_edited_by_one_is_never_replaced(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "README.md"
    path.write_text(content, "utf-8")
    with pytest.raises(OutputError, match=r"README\.md is not, or no longer, as batcher wrote it"):
        kept_metadata(path)


@pytest.mark.parametrize("broken", ["tags: [\n", "- tags\n"])
def test_metadata_that_is_broken_is_never_replaced(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "README.md"
    _, _, rest = CARD.split("---\n", 2)
    path.write_text(f"---\n{broken}---\n{rest}", "utf-8")
    with pytest.raises(OutputError, match=r"README\.md is no YAML"):
        kept_metadata(path)


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_card_that_cannot_be_read_is_never_replaced(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "README.md"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(OutputError, match="cannot read"):
        kept_metadata(path)
