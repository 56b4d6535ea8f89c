"""Traces and metrics by OpenTelemetry, where the extra `batcher[otel]` is installed.

`attributes` and `messages` know the conventions for generative AI and are pure; `spans` and
`instruments` make spans and metrics of what happens; `sending` brings them to a collector. Names
are those of the conventions as of v1.38 (https://opentelemetry.io/docs/specs/semconv/gen-ai/),
which are still in development.
"""
