"""The grid: which runs a profile stands for, and where and how they are run."""
