"""One process a feed account."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.gateway.errors import AccountBusyError
from services.gateway.shell.account import own_account

REAL_TIME, DELAYED = "wss://socket.massive.com", "wss://delayed.massive.com"
KEY = "s3cret-key"


def test_a_second_is_told_in_a_sentence_who_has_it_and_never_the_key(tmp_path: Path) -> None:
    said = rf"in use by process {os.getpid()} \(strikewire"
    with own_account(REAL_TIME, KEY, tmp_path), pytest.raises(AccountBusyError, match=said) as caught:
        own_account(REAL_TIME, KEY, tmp_path).__enter__()
    assert KEY not in str(caught.value)
    assert not any(KEY in path.name or KEY in path.read_text() for path in tmp_path.iterdir())


def test_real_time_and_delayed_hosts_are_one_account(tmp_path: Path) -> None:
    with own_account(REAL_TIME, KEY, tmp_path), pytest.raises(AccountBusyError):
        own_account(DELAYED, KEY, tmp_path).__enter__()


def test_another_key_and_a_stand_in_of_ones_own_are_other_accounts(tmp_path: Path) -> None:
    accounts = [(REAL_TIME, KEY), (REAL_TIME, "other"), ("ws://127.0.0.1:9001", KEY), ("ws://127.0.0.1:9002", KEY)]
    with contextlib.ExitStack() as held:
        for address, key in accounts:
            held.enter_context(own_account(address, key, tmp_path))
    assert len(list(tmp_path.iterdir())) == len(accounts)


def test_it_is_free_again_when_its_holder_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\nfrom services.gateway.shell.account import own_account\n"
        f"with own_account({REAL_TIME!r}, {KEY!r}, pathlib.Path(sys.argv[1])):\n"
        "    print('mine', flush=True)\n    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        with pytest.raises(AccountBusyError, match=f"process {holder.pid}"):
            own_account(REAL_TIME, KEY, tmp_path).__enter__()
        holder.kill()
    with own_account(REAL_TIME, KEY, tmp_path):
        pass
