"""The child's end of the channel: what it says of its task, and the agent's word that it listens for."""

from __future__ import annotations

import os
import queue
import select
import socket
import threading
import time
from typing import Literal

from common.frozen import Frozen
from common.protocol.reports import Checkpoint, SurveyReport, TrainingReport
from trainer.process.channel import (
    CHECKPOINT,
    COUNT,
    FAILURE,
    HEADER,
    LEAVE,
    LENGTH,
    LOOKUP,
    REST,
    RESULT,
    STEP,
    STOP,
    STOPPED,
    TASK,
    AttemptFailure,
    Count,
    Counted,
    Lookup,
    Step,
    Task,
    framed,
)

STEP_SECONDS = 0.05
"""News is told at most so often, and no later: a small cell has ten stages in that time, and whatever comes
wakes the agent. A checkpoint and an outcome are told at once, and take along what was not told yet."""


class ChildEnd:
    """The child's end; a thread waits for the agent's word, and ends the process when the agent is gone.

    Parameters
    ----------
    channel : socket.socket
        The child's socket.
    """

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(True)
        self._channel = channel
        self._stop = threading.Event()
        self._next: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._untold = bytearray()
        self._step: tuple[str, int, int] | None = None
        self._told_at = 0.0

    def task(self) -> Task:
        """Receive the task, and listen for the agent's word from now on."""
        kind, payload = self._frame()
        assert kind == TASK
        task = Task.model_validate_json(payload)
        threading.Thread(target=self._listen, name="agent-listener", daemon=True).start()
        return task

    def next_task(self) -> Task | None:
        """Say that the last task is done, and wait for the next one; None when the child is sent away."""
        self._send(REST, b"")
        payload = self._next.get()
        self._told_at = 0.0
        return None if payload is None else Task.model_validate_json(payload)

    @property
    def stop_asked(self) -> bool:
        """Whether the agent asked to give up after the next checkpoint."""
        return self._stop.is_set()

    def step(self, stage: str, done: int, total: int) -> None:
        """Report how far the job is."""
        self._step = (stage, done, total)
        self._tell()

    def looked_up(self, cache: Literal["candles", "features", "objects"], found: bool) -> None:
        """Say whether something was found in a cache."""
        self._mention(LOOKUP, Lookup(cache=cache, outcome="hit" if found else "miss"))

    def counted(self, what: Counted, number: int) -> None:
        """Say what was done to the cache of candles."""
        self._mention(COUNT, Count(what=what, number=number))

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Hand over the finished folds, at once: a kill costs no more than the fold at work."""
        self._send(CHECKPOINT, checkpoint.model_dump_json().encode())

    def result(self, report: SurveyReport | TrainingReport, artifact: bytes) -> None:
        """Hand over the result."""
        document = report.model_dump_json().encode()
        self._send(RESULT, LENGTH.pack(len(document)) + document + artifact)

    def failure(self, failure: AttemptFailure) -> None:
        """Say why there is no result."""
        self._send(FAILURE, failure.model_dump_json().encode())

    def stopped(self) -> None:
        """Say that the job was given up as asked."""
        self._send(STOPPED, b"")

    def _mention(self, kind: bytes, what: Frozen) -> None:
        """Have something told with what is told next: nobody waits for it."""
        with self._lock:
            self._untold += framed(kind, what.model_dump_json().encode())

    def _tell(self) -> None:
        """Tell what was not told yet, if it is time."""
        if time.monotonic() - self._told_at >= STEP_SECONDS:
            with self._lock:
                self._flush(b"")

    def _send(self, kind: bytes, payload: bytes) -> None:
        with self._lock:
            self._flush(framed(kind, payload))

    def _flush(self, frame: bytes) -> None:
        """Send what was not told yet, and then a frame; the lock is held."""
        step, self._step = self._step, None
        if step is not None:
            stage, done, total = step
            told = Step(stage=stage, done=done, total=total)
            self._untold += framed(STEP, told.model_dump_json().encode())
        self._untold += frame
        try:
            if self._untold:
                self._channel.sendall(self._untold)
        except OSError:
            os._exit(1)
        self._untold.clear()
        self._told_at = time.monotonic()

    def _frame(self) -> tuple[bytes, bytes]:
        kind, length = HEADER.unpack(self._exactly(HEADER.size))
        return kind, self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        received = bytearray()
        while len(received) < length:
            part = self._channel.recv(length - len(received))
            if not part:
                os._exit(1)
            received += part
        return bytes(received)

    def _listen(self) -> None:
        try:
            while True:
                heard, _, _ = select.select([self._channel], [], [], STEP_SECONDS)
                if not heard:
                    self._tell()
                    continue
                kind, payload = self._frame()
                if kind == STOP:
                    self._stop.set()
                elif kind == TASK:
                    # What the agent asked for before concerned the task before.
                    self._stop.clear()
                    self._next.put(payload)
                elif kind == LEAVE:
                    self._next.put(None)
        except OSError:
            os._exit(1)
