"""From a row to the request it asks for: (Prompt, JobSpec) -> Request, pure."""

from batcher.render.requests import BATCH_URLS, ROLES, Renderer, request_key, sampled

__all__ = ["BATCH_URLS", "ROLES", "Renderer", "request_key", "sampled"]
