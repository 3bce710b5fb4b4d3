"""cotnb: teach small language models to reason, one published insight a notebook."""

__version__ = "0.1.0"
