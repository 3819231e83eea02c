"""How the vendor's REST wraps what it says: envelopes, error bodies, pages, compression."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from standin.faults.protocol_options import ProtocolOptions
from standin.faults.rest_faults import Refusal

__all__ = ["Answers", "json_answer"]


class Answers:
    """Makes responses and numbers them."""

    def __init__(self, options: ProtocolOptions) -> None:
        self._options = options
        self.status = "DELAYED" if options.rest_delayed else "OK"
        self._requests = itertools.count(1)

    def results(self, results: object, **envelope: object) -> web.Response:
        """The usual envelope around results."""
        return json_answer({"status": self.status, "request_id": self.request_id(), "results": results} | envelope)

    def page(self, request: web.Request, rows: Sequence[object], cursor: str | None) -> web.Response:
        """One page of rows, and where the next one is."""
        return self.results(rows, **next_url(request, cursor))

    def error(self, code: int, **body: str) -> web.Response:
        """An error's body."""
        return json_answer({"request_id": self.request_id(), **body}, code)

    def not_found(self) -> web.Response:
        """404, in JSON or in plain text."""
        if self._options.not_found == "text":
            return web.Response(status=404, text="404 page not found\n")
        return self.error(404, status="NOT_FOUND", message="Not found.")

    def refused(self, refusal: Refusal) -> web.Response:
        """An answer instead of a document."""
        if refusal.fields is None:
            return web.Response(status=refusal.code, body=refusal.raw, content_type="text/html")
        response = self.error(refusal.code, **refusal.fields)
        if refusal.retry_after_s is not None and self._options.retry_after:
            response.headers["Retry-After"] = str(refusal.retry_after_s)
        return response

    def request_id(self) -> str:
        """A new one."""
        return f"{next(self._requests):032x}"


def next_url(request: web.Request, cursor: str | None) -> dict[str, str]:
    """Absolute, on the origin the client used, with the opaque cursor and never with the key; nothing at the end."""
    if cursor is None:
        return {}
    return {"next_url": f"{request.url.origin()}{request.rel_url.raw_path}?{urlencode({'cursor': cursor})}"}


def json_answer(document: Any, code: int = 200) -> web.Response:
    """A document as it is, without an envelope."""
    return web.Response(body=msgspec.json.encode(document), status=code, content_type="application/json")
