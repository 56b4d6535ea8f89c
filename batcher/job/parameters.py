"""Names of request parameters, for telling a slip of the pen from one that we do not know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from batcher.wording import nearest

# protocol.md section 1; https://platform.openai.com/docs/api-reference/chat/create;
# https://api-docs.deepseek.com/api/create-chat-completion; and vLLM's sampling parameters.
KNOWN_PARAMETERS = frozenset(
    {
        *("do_sample", "temperature", "top_p", "max_tokens", "stop", "thinking", "user_id"),
        *("reasoning_effort", "response_format", "tools", "tool_choice", "tool_stream", "meta"),
        *("seed", "max_completion_tokens", "frequency_penalty", "presence_penalty", "logit_bias"),
        *("logprobs", "top_logprobs", "metadata", "modalities", "parallel_tool_calls", "store"),
        *("prediction", "prompt_cache_key", "safety_identifier", "service_tier", "user"),
        *("verbosity", "web_search_options", "functions", "function_call"),
        *("top_k", "min_p", "repetition_penalty", "length_penalty", "min_tokens", "ignore_eos"),
        *("stop_token_ids", "chat_template_kwargs", "structured_outputs"),
        *("guided_json", "guided_choice", "guided_regex", "guided_grammar"),
    }
)
"""Names that are known; a provider may have more."""


def misspelt(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that is no known parameter but nearly one, and that one."""
    for name in names:
        if name not in KNOWN_PARAMETERS and (near := nearest(name, KNOWN_PARAMETERS, 0.75)):
            yield name, near
