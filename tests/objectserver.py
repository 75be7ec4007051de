"""A store with Amazon's interface that enforces signatures (SeaweedFS), started on 127.0.0.1 and stopped by whoever asks for it."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from conftest import BUILD

KEY, SECRET = "AKIDTESTER", "the-testers-secret-key"
READER, READERS = "AKIDREADER", "the-readers-secret-key"
BUCKET = "bundles"
# Each of them would take a number of its own, and that number plus 10,000.
PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "volume.port.public", "filer.port", "filer.port.grpc",
    "s3.port", "s3.port.grpc",
)  # fmt: skip


class Store:
    """`with Store(directory) as store`: `host` is where it listens, `env` what `ct` needs to know of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.program = BUILD / "test" / "bin" / "weed"
        assert self.program.exists(), "make build/.test"

    def __enter__(self) -> "Store":
        everything = ["Admin", "Read", "Write", "List", "Tagging"]
        users = [("tester", KEY, SECRET, everything), ("reader", READER, READERS, ["Read", "List"])]
        identities = [
            {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
            for name, key, secret, actions in users
        ]
        (self.directory / "s3.json").write_text(json.dumps({"identities": identities}))
        for _ in range(3):
            if self._start():
                break
        else:
            raise AssertionError((self.directory / "log").read_text()[-2000:])
        self.host = f"127.0.0.1:{self.ports['s3.port']}"
        self.filer = f"http://127.0.0.1:{self.ports['filer.port']}/buckets/{BUCKET}"
        urllib.request.urlopen(urllib.request.Request(self.filer + "/", method="POST"), timeout=20).close()
        # The first write makes a volume; what is asked of it meanwhile fails.
        self.env = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": f"http://{self.host}"}
        return self

    def _start(self) -> bool:
        """Whether it came up; a port that another program took meanwhile ends it."""
        held = [socket.socket() for _ in PORTS]
        for one in held:
            one.bind(("127.0.0.1", 0))
        self.ports = {name: one.getsockname()[1] for name, one in zip(PORTS, held, strict=True)}
        for one in held:
            one.close()
        options = {
            **self.ports, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "dir": self.directory, "s3.config": self.directory / "s3.json",
            "s3.port.iceberg": 0, "s3.port.lance": 0, "metricsPort": 0, "master.telemetry": "false", "volume.max": 8,
            "master.volumeSizeLimitMB": 2048, "volume.minFreeSpace": 1,
        }  # fmt: skip
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.program, "-logtostderr", "server", "-s3", *(f"-{name}={value}" for name, value in options.items())],
                stdout=log, stderr=log, cwd=self.directory, env={"HOME": str(self.directory), "PATH": os.environ["PATH"]},
            )  # fmt: skip
        end = time.monotonic() + 40
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.ports['s3.port']}/healthz", timeout=2).close()
                return True
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        return False

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def listed(self, prefix: str = "") -> list[str]:
        """The names below a prefix, as the file system under the store has them: hidden uploads too."""
        request = urllib.request.Request(f"{self.filer}/{prefix}?limit=1000", headers={"Accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                entries: list[dict[str, Any]] = json.load(answer)["Entries"] or []
        except urllib.error.HTTPError as error:
            assert error.code == 404
            return []
        return sorted(entry["FullPath"].rpartition("/")[2] for entry in entries)

    def read(self, key: str) -> bytes:
        """An object, by way of the file system under the store."""
        with urllib.request.urlopen(f"{self.filer}/{key}", timeout=60) as answer:
            data: bytes = answer.read()
            return data
