"""The report as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial

import jinja2

from batcher.errors import ErrorClass
from batcher.history import Ended, History, Process
from batcher.money import amount
from batcher.observe.language import Lang
from batcher.observe.report.bars import figure, quantiles
from batcher.observe.report.cards import MOST_CHARACTERS, cards
from batcher.observe.report.charts import charts
from batcher.observe.report.content import Content, Facts
from batcher.observe.report.foreign import as_json, cleaned, cut
from batcher.observe.report.sheets import CHART_SCRIPTS, STYLES, asset, environment, favicon, policy
from batcher.observe.report.tiles import attempts, extents, is_priced, share, tiles
from batcher.observe.words import Words
from batcher.recorded import Counts
from batcher.wording import utc


def page(content: Content, lang: Lang) -> str:
    """Return the report as an HTML file in the language `lang`."""
    words = Words(lang)
    texts = content.sample is not None
    shown = partial(cards, words=words, texts=texts, samples=content.facts.samples)
    scripts = [asset(name) for name in (*CHART_SCRIPTS, "report.js")]
    styles = [asset(name) for name in STYLES]
    facts, counts, history = content.facts, content.counts, content.history
    failed = _shares({one.error_class: one.rows for one in content.failed})
    return _template().render(
        w=words,
        policy=policy(scripts, styles),
        scripts=scripts,
        styles=styles,
        favicon=favicon(),
        facts=facts,
        counts=counts,
        state=_state(facts, history),
        tiles=tiles(counts, history, facts.total, words, samples=facts.samples),
        extents=extents(counts, facts.total),
        charts=charts(history, words, counts, facts.total),
        history=history,
        processes=list(_processes(history, facts, words)),
        figures=dict(_figures(content, words)),
        settings=dict(_tables(facts, words, texts=texts)),
        failed=failed,
        failed_by=_failed_by(facts, history),
        halted=list(_halted(facts, history, words, texts=texts)),
        examples=[
            (told, shown(one.examples)) for told, one in zip(failed, content.failed, strict=True)
        ],
        slowest=shown(content.slowest),
        longest=shown(content.longest),
        sample=None if content.sample is None else shown(content.sample),
        note=content.note,
        utc=utc,
    )


@cache
def _template() -> jinja2.Template:
    return environment().get_template("report.html")


def _state(facts: Facts, history: History) -> str:
    """Return the state of the run: also whether its last process was killed."""
    if facts.state == "running" or not history.processes:
        return facts.state
    return "killed" if history.processes[-1].ended is None else facts.state


def _halted(facts: Facts, history: History, words: Words, *, texts: bool) -> Iterator[str]:
    """Yield why the run stopped by itself, if it did and rows are left.

    What a provider said may quote a prompt, so it comes only with `texts`.
    """
    if facts.state != "stopped" or not history.processes:
        return
    last = history.processes[-1]
    reason = last.reason if texts or last.error_class is None else None
    if last.error_class is not None:
        hint = words.hint(last.error_class)
        # What the terminal said ends with it.
        if hint not in (reason or ""):
            yield f"{words.error(last.error_class)}{words('colon')}{hint}"
    if reason is not None:
        yield cleaned(reason)


def _shares(found: Mapping[ErrorClass, int]) -> Sequence[tuple[ErrorClass, int, str]]:
    """Return classes of errors, each with its number and its share of all."""
    return [(name, number, share(number, sum(found.values()))) for name, number in found.items()]


def _failed_by(facts: Facts, history: History) -> Sequence[tuple[ErrorClass, int, str]]:
    """Return what calls failed by while rows are left, most frequent first: it may be the reason.

    Of a run that is finished, the chart says it.
    """
    if facts.state == "finished":
        return ()
    failed: Counter[ErrorClass] = Counter()
    for moment in history.moments:
        failed.update(moment.failures)
    return _shares(dict(failed.most_common()))


def _processes(
    history: History, facts: Facts, words: Words
) -> Iterator[tuple[Process, str, str, str]]:
    """Yield each process with how long it worked, how it ended, and the tone of that."""
    last = len(history.processes)
    for place, process in enumerate(history.processes, 1):
        if process.ended is None:
            working = facts.state == "running" and place == last
            ended, tone = ("working", "") if working else ("killed", "bad")
        else:
            ended = process.ended
            tone = {Ended.DONE: "good", Ended.DISK_FULL: "bad"}.get(Ended(ended), "wait")
        yield process, words.lasting(process.seconds), ended, tone


def _figures(content: Content, words: Words) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Yield lists of figures by their titles: a label, a value and a remark ("" for none)."""
    counts, total = content.counts, content.facts.total
    rows = words("figures_rows") if content.facts.samples == 1 else words("figures_samples")
    yield rows, list(_of_rows(counts, total, words))
    yield words("figures_calls"), list(_of_calls(content, words))
    yield words("figures_cost"), list(_of_cost(counts, content.facts.samples, words))


def _of_rows(counts: Counts, total: int | None, words: Words) -> Iterator[tuple[str, str, str]]:
    yield words("done"), f"{counts.rows:,}", "" if total is None else share(counts.rows, total)
    yield words("tile_results"), f"{counts.results:,}", ""
    if counts.truncated:
        yield words("truncated"), f"{counts.truncated:,}", words("truncated_note")
    if counts.duplicates or counts.cached:
        yield words("called"), f"{counts.called:,}", ""
        yield words("duplicates"), f"{counts.duplicates:,}", words("duplicates_note")
        hits = words("hit_rate", share=share(counts.cached, counts.results))
        yield words("cached"), f"{counts.cached:,}", hits
    yield words("tile_errors"), f"{counts.error_rows:,}", ""
    pending = words("unknown") if total is None else f"{max(0, total - counts.rows):,}"
    yield words("tile_pending"), pending, ""


def _of_calls(content: Content, words: Words) -> Iterator[tuple[str, str, str]]:
    counts, history = content.counts, content.history
    calls = attempts(counts, history)
    done = words("attempts_outcomes", number=counts.attempts) if calls > counts.attempts else ""
    yield words("attempts"), f"{calls:,}", done
    if history.moments:
        failed = sum(sum(moment.failures.values()) for moment in history.moments)
        yield words("failed_attempts"), f"{failed:,}", words("failed_attempts_note")
    yield words("repairs"), f"{counts.repairs:,}", words("repairs_note")
    yield words("unanswered"), f"{counts.ambiguous_attempts:,}", words("unanswered_note")
    yield words("killed_calls"), f"{counts.killed_calls:,}", words("killed_calls_note")
    if counts.cut_short:
        yield words("cut_short"), f"{counts.cut_short:,}", words("cut_short_note")
    if history.seconds:
        yield words("working_time"), words.lasting(history.seconds), ""
    for name, value in quantiles(history.latencies).items():
        yield f"{words('latency_of')} {name}", words("seconds", number=figure(value)), ""


def _of_cost(counts: Counts, samples: int, words: Words) -> Iterator[tuple[str, str, str]]:
    if not is_priced(counts):
        yield words("spent"), words("unknown"), words("cost_unknown")
    elif not counts.cost and not counts.possible_cost:
        yield words("spent"), f"0 {counts.currency}", words("cost_nothing")
    else:
        currency = counts.currency
        prices = words("by_prices", source=counts.priced_by) if counts.priced_by else ""
        yield words("spent"), f"{amount(counts.cost)} {currency}", prices
        if counts.possible_cost:
            possible = f"{amount(counts.possible_cost)} {currency}"
            yield words("at_most_more"), possible, words("at_most_more_note")
        if counts.unpriced:
            yield words("unpriced"), f"{counts.unpriced:,}", words("unpriced_note")
        elif counts.cost and counts.rows:
            yield (
                words("per_thousand"),
                f"{amount(counts.cost * 1000 * samples // counts.rows)} {currency}",
                words("per_thousand_note"),
            )
    yield words("prompt_tokens"), f"{counts.prompt_tokens:,}", ""
    yield words("cached_tokens"), f"{counts.cached_tokens:,}", ""
    yield words("completion_tokens"), f"{counts.completion_tokens:,}", ""
    yield words("reasoning_tokens"), f"{counts.reasoning_tokens:,}", ""


def _tables(
    facts: Facts, words: Words, *, texts: bool
) -> Iterator[tuple[str, list[tuple[str, str, int]]]]:
    """Yield what the job says, by table: names, values, and how much of each was cut.

    What is in the settings of the requests, such as `output.fields`, is not said twice.
    """
    for title, prefix, table in (
        (words("settings"), "", facts.settings),
        *((f"[{name}]", f"{name}.", table) for name, table in facts.limits.items()),
    ):
        rows = []
        for name, value in table.items():
            if prefix and f"{prefix}{name}" in facts.settings:
                continue
            if "template" in name and not texts:
                rows.append((name, words("left_out"), 0))
            else:
                rows.append((name, *cut(_setting(value), MOST_CHARACTERS)))
        if rows:
            yield title, rows


def _setting(value: object) -> str:
    return value if isinstance(value, str) else as_json(value)
