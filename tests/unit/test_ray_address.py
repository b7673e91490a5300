"""RAY_ADDRESS: a wrong one is one line, at once (Ray itself would wait for minutes)."""

import socket

import pytest

from dcsim import load
from dcsim.montecarlo import ray_executor, replicate_many

pytest.importorskip("ray", reason="the ray extra is not installed")


def refused(address, monkeypatch):
    """What is said of an address that cannot be used."""
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ray_executor.ClusterError) as found, ray_executor.cluster(2):
        raise AssertionError("connected")
    return str(found.value)


@pytest.mark.parametrize("address", ["nonsense", "auto", "ray://127.0.0.1:10001", "127.0.0.1:", ":6379", "127.0.0.1:x"])
def test_only_host_and_port_are_an_address(address, monkeypatch):
    """What is not HOST:PORT is refused and quoted."""
    assert refused(address, monkeypatch).startswith(f"RAY_ADDRESS={address} is not HOST:PORT, ")


def test_where_nothing_listens_there_is_no_cluster(monkeypatch):
    """A port that refuses connections, and one that does not exist, are not waited for."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and never listens
        address = "{}:{}".format(*bound.getsockname())
        assert refused(address, monkeypatch).startswith(f"no Ray cluster at RAY_ADDRESS={address}: ")
    assert refused("127.0.0.1:70000", monkeypatch).startswith("no Ray cluster at RAY_ADDRESS=127.0.0.1:70000: ")


def test_an_unknown_executor_is_refused():
    """A misspelt executor is an error, not this machine's own workers."""
    with pytest.raises(ValueError, match=r"^executor: found 'rya'; allowed: local, ray$"):
        replicate_many([(load("pretrain-5184/gold"), None)], 1, executor="rya")
