"""Tells people of a run who do not look at it, by webhooks."""

from batcher.observe.alerts.alert import Alert, Cause, Event, Figures, Why
from batcher.observe.alerts.delivery import (
    REAL_CLOCKS,
    Clocks,
    Courier,
    Delivery,
    Undelivered,
    attempt,
)
from batcher.observe.alerts.payloads import payload_of, signature_of
from batcher.observe.alerts.posting import Network, Outgoing, Poster, Send
from batcher.observe.alerts.rules import Rules, Seen, Sighting
from batcher.observe.alerts.webhook import Webhook

__all__ = [
    "REAL_CLOCKS",
    "Alert",
    "Cause",
    "Clocks",
    "Courier",
    "Delivery",
    "Event",
    "Figures",
    "Network",
    "Outgoing",
    "Poster",
    "Rules",
    "Seen",
    "Send",
    "Sighting",
    "Undelivered",
    "Webhook",
    "Why",
    "attempt",
    "payload_of",
    "signature_of",
]
