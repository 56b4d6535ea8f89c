"""litellm's `batch_completion`: a thread for each call at once; no checkpoint, no file."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import litellm

from benchmarks.contenders.bounded import MODEL


def main(arguments: Sequence[str]) -> int:
    """Return the number of answers."""
    prompts, base_url, in_flight = arguments
    rows = map(json.loads, Path(prompts).read_text(encoding="utf-8").splitlines())
    answers = litellm.batch_completion(
        model=f"openai/{MODEL}",
        messages=[[{"role": "user", "content": row["prompt"]}] for row in rows],
        max_workers=int(in_flight),
        api_base=base_url,
        api_key="any",
    )
    # An error is returned in the place of its answer.
    return sum(isinstance(answer, litellm.ModelResponse) for answer in answers)


if __name__ == "__main__":
    print(main(sys.argv[1:]))
