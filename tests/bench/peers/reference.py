"""The raw limit: a store-and-forward and nothing else. No decoding, no residents, no score, no alert.

Lines from a Unix socket into SQLite (WAL, synchronous=FULL), at most `COMMIT` in a commit and what gathers in
so many seconds where there are fewer; from there at most `MESSAGE` lines a message to the broker (paho,
QoS 1, 100 in flight); deleted on PUBACK, with the next commit. What could be reached in Python on this
machine if all that makes it a hub cost nothing.

    reference.py SOCKET DATABASE PORT COMMIT MESSAGE GATHER_SECONDS
"""

from __future__ import annotations

import socket
import sqlite3
import sys
import threading
from collections import deque
from pathlib import Path
from time import monotonic

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

_WINDOW = 100


def main() -> None:
    path, database, port, commit, message, gather = sys.argv[1:]
    lines: deque[bytes] = deque()
    answered: deque[int] = deque()  # paho holds a lock in on_publish: nothing may wait there
    happened = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(_WINDOW)

    def on_publish(_client: Client, _data: object, number: int, *_: object) -> None:
        answered.append(number)
        happened.set()

    client.on_publish = on_publish
    client.connect("127.0.0.1", int(port))
    connected = client.socket()
    assert isinstance(connected, socket.socket)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.loop_start()
    threading.Thread(target=_listen, args=(path, lines, happened), daemon=True).start()

    store = sqlite3.connect(Path(database), isolation_level=None)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = FULL")
    store.execute("CREATE TABLE outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, line BLOB)")
    in_flight: dict[int, tuple[int, int]] = {}  # message number -> its first row and its last
    waiting: deque[tuple[int, bytes]] = deque()
    gone: list[tuple[int, int]] = []
    newest, until = 0, 0.0
    while True:
        gone += [in_flight.pop(answered.popleft()) for _ in range(len(answered))]
        if len(lines) >= int(commit) or ((lines or gone) and monotonic() >= until):
            rows = [(lines.popleft(),) for _ in range(min(len(lines), int(commit)))]
            store.execute("BEGIN IMMEDIATE")
            store.executemany("INSERT INTO outbox (line) VALUES (?)", rows)
            store.executemany("DELETE FROM outbox WHERE sequence BETWEEN ? AND ?", gone)
            store.execute("COMMIT")
            waiting.extend((newest + place, line) for place, (line,) in enumerate(rows, 1))
            newest, until = newest + len(rows), monotonic() + float(gather)
            gone.clear()
        while waiting and len(in_flight) < _WINDOW:
            packed = [waiting.popleft() for _ in range(min(int(message), len(waiting)))]
            sent = client.publish("bench/ref", b"".join(line for _, line in packed), qos=1)
            in_flight[sent.mid] = packed[0][0], packed[-1][0]
        if not answered and len(lines) < int(commit):
            happened.wait(max(0.0, until - monotonic()) if lines or gone else None)
            happened.clear()


def _listen(path: str, lines: deque[bytes], happened: threading.Event) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    while True:
        connection, _ = server.accept()
        for line in connection.makefile("rb"):
            lines.append(line)
            happened.set()


main()
