"""What passes between the agent and its child: a task goes in; steps, checkpoints and one outcome come out.

A child that has trained a cell rests: it says so, and waits to be given another task or to be sent away. On
the way the child also says what it found in the caches, which only the agent's metrics ask for.

Both ends hold one stream socket. A frame is a kind (one byte), a length (four bytes, big-endian) and
JSON. Nothing is pickled, so that the agent never imports what the child computes with. The agent's end
never blocks, because a child may hang in the middle of a frame; the child's end blocks, and ends the
process when the agent is gone.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from common.frozen import Frozen
from common.protocol.jobs import Cause, SurveySpec, TrainingSpec
from common.protocol.reports import Checkpoint, Manifest, SurveyReport, TrainingReport
from common.settings.sections import CandlePlace

READ_BYTES = 1 << 16
READS = 64
"""How much is read at a time: a child that never stops talking must not keep the agent from watching it."""

HEADER = struct.Struct("!cI")
LENGTH = struct.Struct("!I")
# One after the other: to find the better fit, Pydantic would read both, in three times the time.
_REPORT: TypeAdapter[TrainingReport | SurveyReport] = TypeAdapter(
    Annotated[TrainingReport | SurveyReport, Field(union_mode="left_to_right")]
)

TASK, STOP, LEAVE = b"T", b"X", b"Q"
STEP, LOOKUP, COUNT, CHECKPOINT, RESULT, FAILURE, STOPPED = b"s", b"l", b"n", b"c", b"r", b"m", b"x"
REST = b"w"


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
        self._send(TASK, task.model_dump_json().encode())

    def ask_to_stop(self) -> None:
        """Ask the child to give up after its next checkpoint."""
        self._send(STOP, b"")

    def send_away(self) -> None:
        """Have the child end when it rests."""
        self._send(LEAVE, b"")

    def _send(self, kind: bytes, payload: bytes) -> None:
        self._unsent += framed(kind, payload)
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
        while len(self._received) >= HEADER.size:
            kind, length = HEADER.unpack_from(self._received)
            if len(self._received) < HEADER.size + length:
                break
            payload = bytes(self._received[HEADER.size : HEADER.size + length])
            del self._received[: HEADER.size + length]
            messages.append(_message(kind, payload))
        return messages


def framed(kind: bytes, payload: bytes) -> bytes:
    """Return a message as it is sent."""
    return HEADER.pack(kind, len(payload)) + payload


def _message(kind: bytes, payload: bytes) -> Message:
    if kind == STEP:
        return Step.model_validate_json(payload)
    if kind == LOOKUP:
        return Lookup.model_validate_json(payload)
    if kind == COUNT:
        return Count.model_validate_json(payload)
    if kind == CHECKPOINT:
        return Checkpoint.model_validate_json(payload)
    if kind == RESULT:
        (length,) = LENGTH.unpack_from(payload)
        report, artifact = payload[LENGTH.size : LENGTH.size + length], payload[LENGTH.size + length :]
        return Result(_REPORT.validate_json(report), artifact)
    if kind == FAILURE:
        return AttemptFailure.model_validate_json(payload)
    return Rest() if kind == REST else Stopped()
