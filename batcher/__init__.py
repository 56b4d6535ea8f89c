"""Send every row of a prompt file through a language model, once, and keep every answer."""

__version__ = "0.1.0"
