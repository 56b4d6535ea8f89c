"""The report as one file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batcher.errors import ErrorClass
from batcher.history import History, Process
from batcher.observe.cost import CUT_SHORT, UNCOUNTED
from batcher.observe.language import Lang
from batcher.observe.report import Content, page
from batcher.observe.texts import TEXTS
from batcher.recorded import NOTHING_YET
from tests.reported import COUNTS, START, content, empty, messages


class Markup(HTMLParser):
    """The elements of a page with the names of their attributes, and the texts between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.shape: list[tuple[str, ...]] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, *(name for name, _ in attrs)))
        self.found.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.shape.append(("/", tag))

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def handle_comment(self, data: str) -> None:
        self.shape.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.shape.append(("declaration", decl))

    def handle_pi(self, data: str) -> None:
        self.shape.append(("instruction", data))

    def unknown_decl(self, data: str) -> None:
        self.shape.append(("unknown", data))

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        """Return those of each element of a kind."""
        return [attributes for name, attributes in self.found if name == tag]


PLAIN = Markup(page(content("text"), "en")).shape
HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "<!--", "]]>", "{{ 7 * 7 }}{% raw %}", "&lt;b&gt;&#60;", "\u2028</style>",
    "javascript:alert(1)", "data:text/html,<b>", "\x00<\x00b\x00>", "\ud800\u202e",
)  # fmt: skip


@settings(max_examples=40)
# Where there is nothing to see, elements are left out; what is cut has a note behind it.
@given(
    st.text(st.characters(), max_size=200).filter(lambda text: text.split())
    | st.sampled_from(HOSTILE)
)
@example("".join(HOSTILE))
def test_no_foreign_text_makes_a_tag_an_attribute_or_ends_a_script(text: str) -> None:
    """Wherever it stands, the page has the elements and attributes that it has with any other."""
    found = page(content(text), "en")
    found.encode("utf-8")
    markup = Markup(found)
    assert markup.shape == PLAIN
    assert len(re.findall("</script", found, re.IGNORECASE)) == found.count("</script>\n")


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("said", [content(), empty()], ids=["whole", "empty"])
def test_it_needs_no_network_and_runs_only_its_own_scripts(said: Content, lang: Lang) -> None:
    """Nothing in it names another place, and its policy has the hash of each script and style."""
    found = page(said, lang)
    markup = Markup(found)
    for _, attributes in markup.found:
        assert not {"src", "srcset", "style", "action", "onclick", "onload"} & set(attributes)
        assert (attributes.get("href") or "#").startswith(("#", "data:image/svg+xml,"))
    (told,) = [
        one["content"] or ""
        for one in markup.attributes("meta")
        if one.get("http-equiv") == "Content-Security-Policy"
    ]
    inline = re.findall("<(?:script|style)>(.*?)</(?:script|style)>", found, re.DOTALL)
    assert len(inline) == 5
    for text in inline:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in told
    assert told.startswith("default-src 'none'")
    assert "unsafe" not in told


@pytest.mark.parametrize(("lang", "tag"), [("en", "en"), ("zh", "zh-CN")])
def test_it_names_its_language_and_speaks_it(lang: Lang, tag: str) -> None:
    found = page(content(), lang)
    assert Markup(found).attributes("html") == [{"lang": tag}]
    assert ("已截断" in found or "出错的行" in found) == (lang == "zh")


def test_every_kind_of_thing_that_it_promises_is_there() -> None:
    found = page(content(), "en")
    markup = Markup(found)
    ids = {attributes["id"] for _, attributes in markup.found if "id" in attributes}
    assert ids >= {
        *("simulated", "what", "progress", "tiles", "errors", "over-time", "spread", "figures"),
        *("slowest", "longest", "sample", "search", "kind", "found", "processes", "settings"),
        "chart-data",
    }
    assert [one["data-state"] for one in markup.attributes("span") if "data-state" in one] == [
        "stopped"
    ]
    kinds = [one["data-kind"] for one in markup.attributes("details") if "data-kind" in one]
    assert kinds == ["error", "result", "result", "result", "error"]
    data = re.search('id="chart-data">(.*?)</script>', found, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["at"] == [0, 2, 4, 5, 7, 9]


def test_ids_are_unique_and_what_points_somewhere_finds_it() -> None:
    markup = Markup(page(content(), "en"))
    ids = [attributes["id"] for _, attributes in markup.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in markup.found:
        target = attributes.get("for") or (attributes.get("href") or "")
        if target.startswith("data:") or not target:
            continue
        assert set(target.removeprefix("#").split()) <= set(ids)


def _ended(found: str) -> list[str | None]:
    return [row["data-ended"] for row in Markup(found).attributes("tr") if "data-ended" in row]


def test_each_process_says_how_it_ended_and_the_killed_are_named() -> None:
    found = page(content(), "en")
    assert _ended(found) == ["killed", "halted", "done"]
    assert "stopped by a ceiling or an error" in found


def _state(found: str) -> str | None:
    (state,) = (
        one["data-state"] for one in Markup(found).attributes("span") if "data-state" in one
    )
    return state


@pytest.mark.parametrize(
    ("state", "ended", "told"),
    [("stopped", None, "killed"), ("stopped", "halted", "stopped"), ("running", None, "running")],
)
def test_a_run_whose_last_process_was_killed_is_said_to_be(
    state: str, ended: str | None, told: str
) -> None:
    said = content()
    history = History([Process(1, START, START, "done"), Process(2, START, START, ended)])
    of = replace(said, facts=replace(said.facts, state=state), history=history)
    assert _state(page(of, "en")) == told


def _failed_by(said: Content) -> list[str | None]:
    rows = Markup(page(said, "en")).attributes("tr")
    return [row["data-failed-by"] for row in rows if "data-failed-by" in row]


def test_what_calls_failed_by_is_told_with_its_hint_while_rows_are_left() -> None:
    """A run that the provider stopped has no row that ended in an error."""
    said = content()
    assert _failed_by(replace(said, failed=[])) == ["throttled", "server_error"]
    assert ErrorClass.OVERLOADED.rule.hint not in page(said, "en")
    assert "for longer than --max-wait; run the same command later." in page(said, "en")
    assert _failed_by(replace(said, facts=replace(said.facts, state="finished"))) == []


def test_attempts_are_the_same_wherever_they_are_told() -> None:
    """Those of pending rows among them, which the counts do not have."""
    found = page(replace(content(), counts=replace(COUNTS, attempts=4)), "en")
    assert "3 of 10 attempts failed" in found
    assert found.count("4 for rows that are done") == 2
    assert re.search(r'data-tile="attempts">\s*<dt>Calls</dt>\s*<dd data-value>10</dd>', found)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_that_calls_are_in_no_count_is_said_at_its_head_and_beside_them(lang: Lang) -> None:
    said = content()
    before, after = CUT_SHORT.to(lang), UNCOUNTED.to(lang)
    assert before not in page(said, lang)
    found = page(replace(said, counts=replace(COUNTS, cut_short=2)), lang)
    colon = TEXTS["colon"].to(lang)
    assert f'<p class="aside" id="cut-short">{before}{colon}{after}</p>' in found
    assert f'{before}<span class="note">{after}</span></th><td class="figure">2</td>' in found


def test_what_the_requests_have_is_not_told_again_by_a_table() -> None:
    said = content()
    output = {"output": {"fields": ["told-once"], "flush": "by-table"}}
    facts = replace(said.facts, settings={"output.fields": ["told-once"]}, limits=output)
    found = page(replace(said, facts=facts), "en")
    assert (found.count("told-once"), found.count("by-table")) == (1, 1)


def test_what_is_shown_of_the_rows_is_said_truthfully() -> None:
    said = content()
    assert "Up to ten rows each from 20 places" in page(said, "en")
    whole = replace(said, counts=replace(NOTHING_YET, results=2))
    assert "Every row that is done" in page(whole, "en")
    none = replace(empty(), facts=replace(empty().facts, total=0))
    assert "The input has no rows." in page(none, "en")


def test_a_process_that_works_is_not_taken_for_a_killed_one() -> None:
    said = content()
    running = replace(
        said,
        facts=replace(said.facts, state="running"),
        history=History([Process(1, START, START, None), Process(2, START, START, None)]),
    )
    assert _ended(page(running, "en")) == ["killed", "working"]


def test_without_a_sample_nothing_of_a_prompt_or_an_answer_is_left() -> None:
    """Not even where rows still have it: examples, slowest, longest, templates."""
    said = content("SECRET")
    facts = replace(said.facts, name="run", provider=None, model=None, inputs=[], limits={})
    facts = replace(facts, settings={"prompt.template": "SECRET", "model": "glm"})
    plain = Content(facts, said.counts, said.history)
    rows = [
        replace(
            shown,
            outcome=shown.outcome._replace(
                id="id", source=None, model=None, finish_reason=None, code=None
            ),
        )
        for shown in said.sample or ()
    ]
    failed = [replace(said.failed[0], examples=rows[1:])]
    found = page(replace(plain, failed=failed, slowest=rows, longest=rows, sample=None), "en")
    assert "SECRET" not in found
    assert 'id="search"' not in found
    assert "(left out)" in found


def test_a_run_without_history_says_so_and_shows_its_sums() -> None:
    found = page(replace(content(), history=History()), "en")
    assert "This run has no history" in found
    assert 'class="plot"' not in found
    assert "2.00 CNY" in found
    assert 'href="#spread"' not in found


def test_a_run_in_which_nothing_happened_has_sentences_and_no_charts() -> None:
    found = page(empty(), "en")
    for sentence in ("No row ended in an error.", "No row has an answer.", "The job sets"):
        assert sentence in found
    assert "SIMULATED" not in found
    assert 'class="plot"' not in found


def test_a_chart_with_nothing_to_show_is_hidden_behind_its_sentence() -> None:
    said = replace(content(), history=History([Process(1, START, START, "done")]))
    places = [one for one in Markup(page(said, "en")).attributes("div") if "data-plot" in one]
    assert len(places) == 8
    assert all("hidden" in place for place in places)
    assert all(place["aria-label"] for place in places)


def test_sums_that_make_no_sense_are_left_out() -> None:
    """No cost for 1,000 rows where some have no price; no cost at all where none is known."""
    assert "For 1,000 rows" in page(content(), "en")
    unpriced = page(replace(content(), counts=replace(COUNTS, unpriced=3)), "en")
    assert "For 1,000 rows" not in unpriced
    assert "Results without a price" in unpriced
    assert "no price is known" in page(replace(content(), counts=NOTHING_YET), "en")


def test_what_1000_rows_cost_is_that_of_all_their_samples() -> None:
    """15 of them cost 2.00, and each row has two."""
    found = page(content(), "en")
    assert re.search(r"For 1,000 rows<span.*</th><td class=.figure.>266.67 CNY<", found)


def test_what_was_spent_is_told_where_no_row_has_an_outcome() -> None:
    """Answers that were set aside, or were of no use, cost what they cost."""
    counts = replace(COUNTS, results=0, errors={}, duplicates=0, cached=0)
    found = page(replace(content(), counts=counts), "en")
    assert "2.00 CNY" in found
    assert "For 1,000 rows" not in found


def test_where_nothing_was_spent_by_known_prices_it_cost_nothing() -> None:
    priced = replace(NOTHING_YET, errors={ErrorClass.BAD_REQUEST: 2}, currency="CNY")
    found = page(replace(content(), counts=priced), "en")
    assert len(re.findall(r"<(?:dd data-value|td class=.figure.)>0 CNY<", found)) == 2
    assert "no price is known" not in found


def test_texts_too_long_are_cut_with_a_note() -> None:
    said = content("x" * 5000)
    found = page(said, "en")
    assert "… cut: 1,000 more characters" in found
    long = [replace(said.slowest[0], messages=messages() * 60)]
    assert "more messages" in page(replace(said, slowest=long), "en")


def test_a_long_list_of_inputs_is_cut() -> None:
    said = content()
    many = replace(said.facts, inputs=[f"{n}.jsonl" for n in range(10)])
    found = page(replace(said, facts=many), "en")
    assert "and 4 more inputs" in found
    assert "6.jsonl" not in found


def _stopped(process: Process, *, samples: bool = True) -> str:
    made = content()
    facts = replace(made.facts, state="stopped")
    history = replace(made.history, processes=(*made.history.processes, process))
    sample = made.sample if samples else None
    return page(replace(made, facts=facts, history=history, sample=sample), "en")


def test_a_run_that_the_provider_stopped_says_why_at_its_head() -> None:
    """With what to do about it; in the provider's words only where prompts are shown."""
    balance = ErrorClass.BALANCE
    halt = Process(4, START, START, "halted", balance, "It said <b>pay</b>.")
    head = _stopped(halt)
    assert "balance: " in head
    assert "It said &lt;b&gt;pay&lt;/b&gt;." in head
    whole = f"It said no. {balance.rule.hint}"
    assert "balance: " not in _stopped(halt._replace(reason=whole)).partition("<main")[0]
    quiet = _stopped(halt, samples=False)
    assert 'id="halted"' in quiet
    assert "pay&lt;/b&gt;" not in quiet


def test_a_run_that_a_ceiling_stopped_says_which_and_one_that_went_on_says_nothing() -> None:
    ceiling = Process(4, START, START, "halted", None, "The cost reached 5 CNY.")
    assert "The cost reached 5 CNY." in _stopped(ceiling, samples=False)
    assert 'id="halted"' not in _stopped(Process(4, START, START, "pending"))
    assert 'id="halted"' not in page(content(), "en")
