from __future__ import annotations

from pathlib import Path

import pytest
from dragonfly_common.errors import ConfigError
from supervisor.awake import awake


def test_it_is_asked_for_as_a_number_of_32_bits_and_held_open(tmp_path: Path) -> None:
    device = tmp_path / "cpu_dma_latency"
    device.write_bytes(b"")
    files = Path("/proc/self/fd")
    with awake(str(device)):
        assert device.read_bytes() == bytes(4)
        assert str(device) in {str(one.resolve()) for one in files.iterdir()}
    assert str(device) not in {str(one.resolve()) for one in files.iterdir()}


def test_who_may_not_ask_is_told_so_in_one_sentence(tmp_path: Path) -> None:
    device = str(tmp_path / "nowhere")
    with (
        pytest.raises(ConfigError, match=r"--keep-awake cannot write .*leave it out"),
        awake(device),
    ):
        pytest.fail("it began")
