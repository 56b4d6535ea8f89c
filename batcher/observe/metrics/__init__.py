"""A run in figures and traces, for Prometheus and for OpenTelemetry.

What counts and what is counted is pure (`families`, `figures`); the modules that bring it to others
are imported only where a job asks for them, since their libraries are slow to load.
"""

from batcher.observe.metrics.figures import Figures, RunFacts
from batcher.observe.metrics.news import News

__all__ = ["Figures", "News", "RunFacts"]
