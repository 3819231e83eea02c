"""What can go wrong on the way to the feed, and what the shell then does. The tree is drawn in `services.errors`.

Malformed market data raises nothing: it is a `services.gateway.massive.messages.Reject`, a value.
"""

from __future__ import annotations

from services.errors import FeedError

__all__ = ["AccountBusyError", "FeedRefusedError", "RestRefusedError", "RestUnavailableError"]


class AccountBusyError(FeedError):
    """Another program on this machine uses this feed account."""

    def __init__(self, ws_url: str, owner: str) -> None:
        super().__init__(ws_url, owner)
        self.ws_url, self.owner = ws_url, owner

    def __str__(self) -> str:
        return (
            f"this key is in use by {self.owner or 'another process'}; the vendor allows one connection an account, and"
            f" a second to {self.ws_url} would throw the first one off"
        )


class FeedRefusedError(FeedError):
    """The vendor does not let this key in on `cluster`."""

    def __init__(self, cluster: str, status: str, message: str) -> None:
        super().__init__(cluster, status, message)
        self.cluster, self.status, self.message = cluster, status, message

    def __str__(self) -> str:
        return f"the feed refuses this key on /{self.cluster}: {self.status}: {self.message}"


class RestRefusedError(FeedError):
    """A request that will not be answered however often it is repeated."""

    def __init__(self, path: str, http_status: int, message: str) -> None:
        super().__init__(path, http_status, message)
        self.path, self.http_status, self.message = path, http_status, message

    def __str__(self) -> str:
        return f"REST {self.path} answers {self.http_status}: {self.message}"


class RestUnavailableError(FeedError):
    """No usable answer after `tries` attempts."""

    def __init__(self, path: str, tries: int, reason: str) -> None:
        super().__init__(path, tries, reason)
        self.path, self.tries, self.reason = path, tries, reason

    def __str__(self) -> str:
        return f"REST {self.path} gave no answer in {self.tries} tries: {self.reason}"
