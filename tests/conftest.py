"""Every test has a cache of its own, and no data or model of the machine's."""

import os

import pytest

os.environ["COTNB_BATCH"] = "1"  # no progress bars
os.environ["HF_HUB_OFFLINE"] = "1"  # a test never waits for the hub


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """One cache for the session: a toy student is made once."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("COTNB_CACHE")
    os.environ["COTNB_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["COTNB_CACHE"]
    else:
        os.environ["COTNB_CACHE"] = before
