"""The only door to the network: httpx2 on aiohttp's connection pool.

    Request -> Client.complete -> Completion, or a ProviderError that says what is certain

Nothing here retries a call that may have been answered.
"""

from batcher.engine.client.calls import Client, Timeouts
from batcher.engine.client.connections import network_of, open_transport
from batcher.engine.client.intake import Receiving

__all__ = ["Client", "Receiving", "Timeouts", "network_of", "open_transport"]
