"""The heart: a bounded pool of calls, their limits and their retries. Knows no files, no screen."""
