"""The attributes of calls: the conventions' names and types, and no text of a row."""

from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes

from batcher.errors import ErrorClass
from batcher.observe.metrics.otel import attributes
from batcher.records import Usage
from tests.observe.metrics.samples import FACTS, QUOTED, exchange

# Every parameter there is an attribute for.
BODY = {
    "temperature": 0,
    "top_p": 0.9,
    "top_k": 40,
    "max_tokens": 64,
    "seed": 7,
    "frequency_penalty": 1,
    "presence_penalty": 0.5,
    "stop": ["\n", "END"],
    "response_format": {"type": "json_schema", "json_schema": {"name": "answer"}},
}


def test_a_call_names_its_operation_provider_model_server_and_run() -> None:
    assert attributes.call(FACTS._replace(port=443), "glm-4.7") == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "glm",
        "gen_ai.request.model": "glm-4.7",
        "server.address": "api.example",
        "server.port": 443,
        "batcher.run": "prompts.batch",
    }


def test_a_simulated_call_names_no_server() -> None:
    facts = FACTS._replace(address=None, simulated=True)
    assert not any(name.startswith("server") for name in attributes.call(facts, "glm-4.7"))


def test_each_parameter_has_its_attribute_in_the_type_of_the_convention() -> None:
    found = attributes.asked(BODY, streamed=True)
    assert found == {
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.top_k": 40,
        "gen_ai.request.max_tokens": 64,
        "gen_ai.request.seed": 7,
        "gen_ai.request.frequency_penalty": 1.0,
        "gen_ai.request.presence_penalty": 0.5,
        "gen_ai.request.stop_sequences": ["\n", "END"],
        "gen_ai.output.type": "json",
        "gen_ai.request.stream": True,
    }
    for name in ("temperature", "top_k"):
        assert type(found[f"gen_ai.request.{name}"]) is float


def test_what_a_row_made_of_another_type_is_left_out() -> None:
    body = {
        "temperature": "hot",
        "max_tokens": True,
        "stop": 7,
        "response_format": "json",
        "seed": None,
    }
    assert attributes.asked(body, streamed=False) == {}
    assert attributes.asked({"stop": "END"}, streamed=False) == {
        "gen_ai.request.stop_sequences": ["END"]
    }


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
def test_a_number_that_the_protocol_cannot_hold_is_left_out(number: int) -> None:
    """Or the whole batch that the span is in would be lost."""
    assert attributes.asked({"seed": number, "temperature": number}, streamed=False) == {}


def test_an_answer_says_its_model_reason_tokens_and_the_id_of_its_call() -> None:
    completion = exchange().completion
    assert completion is not None
    assert attributes.answered(completion) == {
        "gen_ai.response.model": "glm-4.7-0915",
        "batcher.provider_request_id": "answer-7",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.reasoning.output_tokens": 5,
    }
    bare = replace(completion, usage=Usage(), model="", finish_reason="", request_id=None)
    assert attributes.answered(bare) == {}


def test_a_failed_call_says_how_and_never_quotes() -> None:
    found = attributes.ended(7, exchange(ErrorClass.THROTTLED, number=2, retry=True), "CNY")
    assert found == {
        "batcher.row": 7,
        "batcher.sample": 0,
        "batcher.attempt": 2,
        "batcher.retry": True,
        "batcher.request_id": "request-2",
        "error.type": "throttled",
        "http.response.status_code": 429,
        "batcher.error.code": "1302",
        "batcher.possible_cost": 0.002,
        "batcher.currency": "CNY",
    }
    assert type(found["error.type"]) is str
    assert QUOTED not in str(found)


def test_costs_are_there_where_a_price_is_known() -> None:
    assert attributes.ended(7, exchange(), "CNY")["batcher.cost"] == 0.001
    assert "batcher.cost" not in attributes.ended(7, exchange(cost=None), "CNY")
    assert "batcher.currency" not in attributes.ended(7, exchange(), None)


def test_texts_that_no_program_can_encode_are_mended() -> None:
    assert attributes.call(FACTS, "m\ud83d")["gen_ai.request.model"] == "m?"
    assert attributes.asked({"stop": "\ud83d"}, streamed=False) == {
        "gen_ai.request.stop_sequences": ["?"]
    }


def test_all_names_beside_our_own_are_those_of_the_conventions() -> None:
    """As the package of the conventions, which comes with the SDK, has them."""
    modules = (gen_ai_attributes, server_attributes, error_attributes, http_attributes)
    known = {str(value) for module in modules for value in vars(module).values()}
    completion = exchange().completion
    assert completion is not None
    used = (
        attributes.call(FACTS._replace(port=443), "m")
        | attributes.asked(BODY, streamed=True)
        | attributes.answered(completion)
        | attributes.ended(7, exchange(ErrorClass.THROTTLED), "CNY")
    )
    theirs = {name for name in used if not name.startswith("batcher.")}
    assert len(theirs) > 20
    assert theirs <= known
