"""A real feed through everything, in one process: gateway, pipeline, warehouse, alerts as they come. The key is read
from the environment variable MASSIVE_API_KEY, never from an argument or file.
"""

from __future__ import annotations

import argparse
import contextlib
import os

import msgspec

from services.commands._arguments import check_feed
from services.commands._replaying import configuration
from services.commands._running import Feed, remote_feed, run_embedded
from services.errors import InputError

EXAMPLE = "MASSIVE_API_KEY=... strikewire up --data-dir /data/strikewire"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the feed is."""
    parser.add_argument("--feed-url", metavar="URL", help="WebSocket of the feed (default: the vendor's, real time)")
    parser.add_argument("--rest-url", metavar="URL", help="REST of the feed")


def run(options: argparse.Namespace) -> int:
    """Runs until interrupted."""
    config = configuration(options)
    if not os.environ.get("MASSIVE_API_KEY"):
        raise InputError("MASSIVE_API_KEY", "is not set; the feed wants a key (`strikewire demo` needs none)")
    urls = {"ws_url": options.feed_url, "rest_url": options.rest_url}
    given = {name: url for name, url in urls.items() if url is not None}
    config = msgspec.structs.replace(config, gateway=msgspec.structs.replace(config.gateway, **given))
    check_feed(config.gateway)

    def open_feed(_: int | None) -> contextlib.AbstractAsyncContextManager[Feed]:
        return remote_feed(config)

    return run_embedded(options, config, open_feed)
