"""From a row to the request it asks for: (Prompt, JobSpec) -> Request, pure.

Local images are read by whoever is passed in for that.
"""

from batcher.render.images import Images, ReadImage, UnusableImageError, shortened, too_large
from batcher.render.messages import ROLES
from batcher.render.requests import (
    BATCH_URLS,
    Renderer,
    key_under,
    request_content,
    request_key,
    sampled,
)

__all__ = [
    "BATCH_URLS",
    "ROLES",
    "Images",
    "ReadImage",
    "Renderer",
    "UnusableImageError",
    "key_under",
    "request_content",
    "request_key",
    "sampled",
    "shortened",
    "too_large",
]
