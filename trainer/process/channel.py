"""What passes between the agent and its child: a task goes in; steps, checkpoints and one outcome come out.

A child that has trained a cell rests: it says so, and waits to be given another task or to be sent away. On
the way the child also says what it found in the caches, which only the agent's metrics ask for.

Both ends hold one stream socket. A frame is a kind (one byte), a length (four bytes, big-endian) and
JSON. Nothing is pickled, so that the agent never imports what the child computes with. The agent's end
never blocks, because a child may hang in the middle of a frame; the child's end blocks, and ends the
process when the agent is gone.
"""

from __future__ import annotations

import os
import queue
import socket
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from common.frozen import Frozen
from common.protocol.jobs import Cause, SurveySpec, TrainingSpec
from common.protocol.reports import Checkpoint, Manifest, SurveyReport, TrainingReport
from common.settings.sections import CandlePlace

STEP_SECONDS = 0.1
"""Steps of one stage are reported at most so often."""

READ_BYTES = 1 << 16
READS = 64
"""How much is read at a time: a child that never stops talking must not keep the agent from watching it."""

_HEADER = struct.Struct("!cI")
_LENGTH = struct.Struct("!I")
_REPORT: TypeAdapter[SurveyReport | TrainingReport] = TypeAdapter(SurveyReport | TrainingReport)

_TASK, _STOP, _LEAVE = b"T", b"X", b"Q"
_STEP, _LOOKUP, _COUNT, _CHECKPOINT, _RESULT, _FAILURE, _STOPPED = b"s", b"l", b"n", b"c", b"r", b"m", b"x"
_REST = b"w"


class Task(Frozen):
    """What a child has to do, and what earlier attempts and nights left for it."""

    spec: Annotated[SurveySpec | TrainingSpec, Field(discriminator="kind")]
    data_dir: CandlePlace
    cache_dir: Path
    cache_limit_bytes: int | None = None
    checkpoint: Checkpoint | None
    champion: Manifest | None


class Step(Frozen):
    """How far the child is: `done` of `total` steps of a stage."""

    stage: str
    done: int
    total: int


class Lookup(Frozen):
    """Whether something was found in a cache."""

    cache: Literal["candles", "features", "objects"]
    outcome: Literal["hit", "miss"]


Counted = Literal["fetched_bytes", "dropped_files", "dropped_bytes"]


class Count(Frozen):
    """What was done to the cache of candles: bytes fetched for it, files and bytes dropped from it."""

    what: Counted
    number: int


@dataclass(frozen=True)
class Result:
    """A job that is done; `artifact` is the .pkl of a training job."""

    report: SurveyReport | TrainingReport
    artifact: bytes


class AttemptFailure(Frozen):
    """Why an attempt has no result: the cause, one line, and the evidence."""

    cause: Literal[Cause.ERROR, Cause.CRASH, Cause.TIMEOUT, Cause.OOM, Cause.DATA, Cause.STORAGE]
    message: str
    evidence: str


@dataclass(frozen=True)
class Stopped:
    """The child gave up because it was asked to, after its last checkpoint."""


@dataclass(frozen=True)
class Rest:
    """The child is done with its task, whose result it has sent, and waits for another one."""


Message = Step | Lookup | Count | Checkpoint | Result | AttemptFailure | Stopped | Rest


class AgentEnd:
    """The agent's end; no call blocks."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._unsent = bytearray()
        self._received = bytearray()
        self._read = memoryview(bytearray(READ_BYTES))
        self.ended = False

    def fileno(self) -> int:
        """Return the descriptor to select on."""
        return self._channel.fileno()

    def close(self) -> None:
        """Close the socket; the child takes it as the agent's death."""
        self._channel.close()

    def give(self, task: Task) -> None:
        """Send the child its task."""
        self._send(_TASK, task.model_dump_json().encode())

    def ask_to_stop(self) -> None:
        """Ask the child to give up after its next checkpoint."""
        self._send(_STOP, b"")

    def send_away(self) -> None:
        """Have the child end when it rests."""
        self._send(_LEAVE, b"")

    def _send(self, kind: bytes, payload: bytes) -> None:
        self._unsent += _HEADER.pack(kind, len(payload)) + payload
        self.flush()

    def flush(self) -> None:
        """Send what the socket had no room for."""
        try:
            while self._unsent:
                del self._unsent[: self._channel.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()

    def receive(self) -> list[Message]:
        """Return the messages that have arrived whole; `ended` is set at the end of the stream.

        Raises
        ------
        pydantic.ValidationError
            The child sent something that does not fit, for example a score that is not a number.
        """
        self.flush()
        try:
            for _ in range(READS):
                length = self._channel.recv_into(self._read)
                self._received += self._read[:length]
                self.ended = length == 0
                if self.ended:
                    break
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        messages = []
        while len(self._received) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._received)
            if len(self._received) < _HEADER.size + length:
                break
            payload = bytes(self._received[_HEADER.size : _HEADER.size + length])
            del self._received[: _HEADER.size + length]
            messages.append(_message(kind, payload))
        return messages


def _message(kind: bytes, payload: bytes) -> Message:
    if kind == _STEP:
        return Step.model_validate_json(payload)
    if kind == _LOOKUP:
        return Lookup.model_validate_json(payload)
    if kind == _COUNT:
        return Count.model_validate_json(payload)
    if kind == _CHECKPOINT:
        return Checkpoint.model_validate_json(payload)
    if kind == _RESULT:
        (length,) = _LENGTH.unpack_from(payload)
        report, artifact = payload[_LENGTH.size : _LENGTH.size + length], payload[_LENGTH.size + length :]
        return Result(_REPORT.validate_json(report), artifact)
    if kind == _FAILURE:
        return AttemptFailure.model_validate_json(payload)
    return Rest() if kind == _REST else Stopped()


class ChildEnd:
    """The child's end; a thread waits for the agent's word, and ends the process when the agent is gone."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(True)
        self._channel = channel
        self._stop = threading.Event()
        self._next: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._last_step = ("", 0.0)

    def task(self) -> Task:
        """Receive the task, and listen for the agent's word from now on."""
        kind, payload = self._frame()
        assert kind == _TASK
        task = Task.model_validate_json(payload)
        threading.Thread(target=self._listen, name="agent-listener", daemon=True).start()
        return task

    def next_task(self) -> Task | None:
        """Say that the last task is done, and wait for the next one; None when the child is sent away."""
        self._last_step = ("", 0.0)
        self._send(_REST, b"")
        payload = self._next.get()
        return None if payload is None else Task.model_validate_json(payload)

    @property
    def stop_asked(self) -> bool:
        """Whether the agent asked to give up after the next checkpoint."""
        return self._stop.is_set()

    def step(self, stage: str, done: int, total: int) -> None:
        """Report how far the job is."""
        last_stage, last_time = self._last_step
        now = time.monotonic()
        if stage != last_stage or done >= total or now - last_time >= STEP_SECONDS:
            self._last_step = (stage, now)
            self._send(_STEP, Step(stage=stage, done=done, total=total).model_dump_json().encode())

    def looked_up(self, cache: Literal["candles", "features", "objects"], found: bool) -> None:
        """Say whether something was found in a cache."""
        lookup = Lookup(cache=cache, outcome="hit" if found else "miss")
        self._send(_LOOKUP, lookup.model_dump_json().encode())

    def counted(self, what: Counted, number: int) -> None:
        """Say what was done to the cache of candles."""
        self._send(_COUNT, Count(what=what, number=number).model_dump_json().encode())

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Hand over the finished folds."""
        self._send(_CHECKPOINT, checkpoint.model_dump_json().encode())

    def result(self, report: SurveyReport | TrainingReport, artifact: bytes) -> None:
        """Hand over the result."""
        document = report.model_dump_json().encode()
        self._send(_RESULT, _LENGTH.pack(len(document)) + document + artifact)

    def failure(self, failure: AttemptFailure) -> None:
        """Say why there is no result."""
        self._send(_FAILURE, failure.model_dump_json().encode())

    def stopped(self) -> None:
        """Say that the job was given up as asked."""
        self._send(_STOPPED, b"")

    def _send(self, kind: bytes, payload: bytes) -> None:
        try:
            self._channel.sendall(_HEADER.pack(kind, len(payload)) + payload)
        except OSError:
            os._exit(1)

    def _frame(self) -> tuple[bytes, bytes]:
        kind, length = _HEADER.unpack(self._exactly(_HEADER.size))
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
                kind, payload = self._frame()
                if kind == _STOP:
                    self._stop.set()
                elif kind == _TASK:
                    # What the agent asked for before concerned the task before.
                    self._stop.clear()
                    self._next.put(payload)
                elif kind == _LEAVE:
                    self._next.put(None)
        except OSError:
            os._exit(1)
