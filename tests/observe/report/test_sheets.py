"""Pages that hold all they need."""

from __future__ import annotations

import hashlib
from importlib import resources

import jinja2
import pytest

from batcher.observe.report import CHART_SCRIPTS, STYLES, asset, environment, policy

# Of uPlot 1.6.32, as npm has it (assets/README.md).
VENDORED = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot.LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}


@pytest.mark.parametrize(("name", "digest"), VENDORED.items())
def test_the_library_is_that_of_the_version_it_says(name: str, digest: str) -> None:
    held = resources.files("batcher.observe.report") / "assets" / name
    assert hashlib.sha256(held.read_bytes()).hexdigest() == digest


def test_its_size_is_what_the_reasons_for_it_say() -> None:
    held = resources.files("batcher.observe.report") / "assets"
    reasons = (held / "README.md").read_text("utf-8")
    for name in ("uPlot.iife.min.js", "uPlot.min.css"):
        assert f"{len((held / name).read_bytes()):,} bytes" in reasons


@pytest.mark.parametrize("name", [*CHART_SCRIPTS, *STYLES, "report.js"])
def test_what_is_inlined_can_end_no_element_and_is_hashed_as_the_browser_reads_it(
    name: str,
) -> None:
    text = asset(name)
    assert not any(end in text.lower() for end in ("</script", "</style", "<!--"))
    assert "\r" not in text


def test_what_is_printed_is_cleaned_and_escaped_and_what_is_missing_is_an_error() -> None:
    pages = environment()
    shown = pages.from_string("{{ text }}").render(text="<b>\x00\u202e&")
    assert shown == "&lt;b&gt;[U+202E]&amp;"
    with pytest.raises(jinja2.UndefinedError):
        pages.from_string("{{ missing }}").render()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Run `batcher check` & `b<c`.",
            "Run <code>batcher check</code> &amp; <code>b&lt;c</code>.",
        ),
        ("none", "none"),
        ("`first`", "<code>first</code>"),
    ],
)
def test_commands_in_hints_are_code(text: str, shown: str) -> None:
    assert environment().from_string("{{ text | code }}").render(text=text) == shown


def test_another_package_finds_its_own_templates_and_those_that_pages_share() -> None:
    assert environment("batcher.observe.report").get_template("parts.html").name == "parts.html"


def test_the_policy_allows_the_texts_it_is_told_and_no_network() -> None:
    told = policy(["alert(1)"], ["a{}"])
    assert told.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'none'" in told
    assert "unsafe" not in told
    assert "http" not in told
    assert "connect-src 'self'" in policy([], [], connect="'self'")
