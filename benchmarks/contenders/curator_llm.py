"""bespokelabs-curator: request files, answers into JSONL, a data set on disk; resumes by its cache.

Its limits a minute are set to what is never reached: left alone, it takes 10 and 100,000.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

# Lets tiktoken find its tables in litellm's package, where it would download them.
import litellm.litellm_core_utils.default_encoding  # noqa: F401 -- for that effect
from bespokelabs import curator

from benchmarks.contenders.bounded import MODEL

_UNREACHED = 10**9


def main(arguments: Sequence[str]) -> int:
    """Return the number of answers."""
    prompts, base_url, in_flight = arguments
    rows = map(json.loads, Path(prompts).read_text(encoding="utf-8").splitlines())
    model = curator.LLM(
        model_name=MODEL,
        backend="openai",
        backend_params={
            "base_url": base_url,
            "api_key": "any",
            "max_concurrent_requests": int(in_flight),
            "max_requests_per_minute": _UNREACHED,
            "max_tokens_per_minute": _UNREACHED,
        },
    )
    answers = model([row["prompt"] for row in rows], working_dir="curator")
    return sum(map(bool, answers.dataset["response"]))


if __name__ == "__main__":
    print(main(sys.argv[1:]))
