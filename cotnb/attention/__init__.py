"""Attention written for what this project asks: few queries, long batches, a GPU."""
