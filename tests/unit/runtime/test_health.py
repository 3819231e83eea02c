"""Where health is served; what it says is tested with each program."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from services.errors import ConfigError
from services.runtime.health import serve_health


@pytest.mark.parametrize("port", [99_999, 65_536, -1])
async def test_a_port_that_is_none_is_one_sentence(port: int) -> None:
    with pytest.raises(ConfigError, match=f"^port {port}: "):
        async with serve_health(CollectorRegistry(), lambda: None, port):
            pass
