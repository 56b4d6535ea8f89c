"""Traces and metrics by OpenTelemetry, where the extra `otel` is installed.

`attributes` and `messages` know the conventions for generative AI and are pure; `spans` and
`instruments` make spans and metrics of what happens; `sending` brings them to a collector. Names
are those of the conventions of v1.41, still in development: the last before they moved to a
repository of their own (https://github.com/open-telemetry/semantic-conventions-genai).
"""
