"""Pages that hold all they need: templates, styles and scripts, and a policy that bars the rest.

The live page is made of the same.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup, escape

from batcher.observe.report.foreign import cleaned, data_in_script

_HERE = "batcher.observe.report"

STYLES = ("uPlot.min.css", "page.css")
CHART_SCRIPTS = ("uPlot.iife.min.js", "charts.js")


def environment(*packages: str) -> jinja2.Environment:
    """Return templates that escape what they print: those of `packages`, then the report's own.

    Each package has them in its folder `templates`. Whatever is printed is `cleaned` before.
    """
    loaders = [jinja2.PackageLoader(package) for package in (*packages, _HERE)]
    made = jinja2.Environment(
        autoescape=True,
        finalize=_printed,
        keep_trailing_newline=True,
        loader=jinja2.ChoiceLoader(loaders),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["number"] = "{:,}".format
    made.filters["data_in_script"] = lambda value: Markup(data_in_script(value))  # noqa: S704 -- nothing in it is markup
    made.filters["code"] = _with_code
    return made


def _with_code(text: str) -> Markup:
    """Return a text of ours with what stands in `backticks` as code."""
    told, *rest = cleaned(text).split("`")
    made = escape(told)
    for place, part in enumerate(rest):
        made += escape(part) if place % 2 else Markup("<code>{}</code>").format(part)
    return made


def _printed(value: object) -> object:
    return cleaned(value) if type(value) is str else value


@cache
def asset(name: str, package: str = _HERE) -> Markup:
    """Return the text of a file in the folder `assets` of `package`; ours, so it is not escaped."""
    text = resources.files(package).joinpath("assets", name).read_text("utf-8")
    return Markup(text)  # noqa: S704 -- no foreign text


def favicon() -> Markup:
    """Return the icon of a page, as the end of an address that holds it."""
    return asset("favicon.svg").replace("\n", "").replace("#", "%23")


def policy(scripts: Iterable[str], styles: Iterable[str], connect: str = "'none'") -> str:
    """Return the content security policy of a page: these inline texts, and no network.

    `connect` is where its scripts may fetch from. An element holds exactly one of the texts.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_source, scripts))}",
            f"style-src {' '.join(map(_source, styles))}",
            "img-src data:",
            f"connect-src {connect}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
