"""The host's end of the link: sessions, windows and retries (docs/host-link.md)."""

import random
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

from ...model.errors import BoardError, BoardResetError, LinkLostError, RefusedError
from ..identity import FORMAT, Identity
from ..protocol import ANSWER_BYTES, PROTOCOL, WINDOW, Command, Status
from .packets import DELIMITER, Answer, Frames, Request, line_bytes
from .transport import Transport

OPEN_ATTEMPTS = 5
ATTEMPTS = 9
LONGEST_BACKOFF = 64
LINE_BITS = 10
IDENTITY_BYTES = FORMAT.size + 8
REFUSED: dict[int, str] = {
    Status.LENGTH: "the data are not as long as the command says",
    Status.POSITION: "another sample is next",
    Status.UNKNOWN: "there is no such command",
    Status.PLACE: "the memory has no such place",
}


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a board told when a session was opened.

    Attributes
    ----------
    identity : Identity
    previous : int
        The session before; 0 if the board was reset since.
    continued : bool
        The session before was one of this host's: the board was not reset since.
    position : int
        Number of the next training sample.
    """

    identity: Identity
    previous: int
    continued: bool
    position: int


@dataclass(kw_only=True)
class _Sent:
    """A request without an answer, or with one that waits for those before it."""

    sequence: int
    request: Request
    frame: bytes
    answer: Answer | None = None


class Link:
    """A session with a board.

    Parameters
    ----------
    transport : Transport
    sessions : iterable of int
        Sessions that count as this host's own when one is opened.
    new_session : callable
        Gives the number of a session, 1 to 2^32 - 1.

    Attributes
    ----------
    sessions : list of int
        This host's own, the last one opened at the end.
    retries : int
        Times that packets were sent again.
    """

    def __init__(
        self,
        transport: Transport,
        sessions: Iterable[int] = (),
        new_session: Callable[[], int] = lambda: random.SystemRandom().randrange(1, 1 << 32),
    ) -> None:
        self.transport = transport
        self.sessions = list(sessions)
        self.retries = 0
        self.session = 0
        self._new_session = new_session
        self._frames = Frames()
        self._sequence = 0
        self._pending: deque[_Sent] = deque()
        self._identity: Identity | None = None

    def open(self) -> Opened:
        """Open a session, and so abort the one before.

        Raises
        ------
        BoardError
            If nothing answers, and nothing did before.
        LinkLostError
            If the line is gone, or a board that answered before does not any more.
        """
        self.session = self._new_session()
        self._sequence = 0
        self._pending.clear()
        self.transport.write(DELIMITER)
        self._send(Request(command=Command.OPEN, answer_bytes=IDENTITY_BYTES))
        try:
            data = self._next_answer(OPEN_ATTEMPTS)
        except LinkLostError as error:
            self._give_up()
            if self._identity is not None:
                raise
            raise BoardError(f"{error}: is this the port, and the baud rate?") from None
        if data[0] != PROTOCOL or len(data) != IDENTITY_BYTES:
            self._give_up()
            name = self.transport.name
            raise BoardError(f"{name}: the board speaks protocol {data[0]} of the link, this host protocol {PROTOCOL}")
        identity = Identity.from_bytes(data[: FORMAT.size])
        previous, position = (int.from_bytes(data[at : at + 4], "little") for at in (FORMAT.size, FORMAT.size + 4))
        self._identity = identity
        continued = previous in self.sessions
        # Not before the answer: a session whose answer is lost may have been opened by a board that was reset.
        self.sessions.append(self.session)
        return Opened(identity=identity, previous=previous, continued=continued, position=position)

    def exchange(self, requests: Iterable[Request]) -> Generator[bytes, None, None]:
        """Ask in a window, and give the answers' data in the order of the requests.

        Raises
        ------
        BoardError
            If the board refuses a request.
        BoardResetError
            If it was reset.
        LinkLostError
            If it does not answer any more.

        After any of them, an interruption, or a caller that stops early, the session is over.
        """
        if not self.session:
            raise LinkLostError("the session is over: open another one")
        waiting = iter(requests)
        following = next(waiting, None)
        try:
            while following is not None or self._pending:
                while following is not None and self._fits(following):
                    self._send(following)
                    following = next(waiting, None)
                yield self._next_answer(ATTEMPTS)
        except BaseException:
            self._give_up()
            raise

    def ask(self, request: Request) -> bytes:
        """The answer's data of a single request; raises as `exchange`."""
        (data,) = self.exchange([request])
        return data

    def _fits(self, request: Request) -> bool:
        if not self._pending:
            return True
        assert self._identity is not None
        length = sum(sent.request.length for sent in self._pending) + request.length
        return len(self._pending) < WINDOW and length <= self._identity.buffer_bytes

    def _send(self, request: Request) -> None:
        frame = request.frame(self.session, self._sequence)
        self._pending.append(_Sent(sequence=self._sequence, request=request, frame=frame))
        self._sequence = (self._sequence + 1) % 256
        self.transport.write(frame)

    def _next_answer(self, attempts: int) -> bytes:
        """The answer to the oldest request."""
        oldest = self._pending[0]
        if oldest.answer is None:
            self._wait_for(oldest, attempts)
        assert oldest.answer is not None
        self._pending.popleft()
        return oldest.answer.data

    def _wait_for(self, oldest: _Sent, attempts: int) -> None:
        """Wait for the answer to the oldest request, sending again what is not answered in time."""
        failures = 0
        deadline = self.transport.now() + self._allowance_s()
        while oldest.answer is None:
            left = deadline - self.transport.now()
            if left > 0:
                if self._receive(self.transport.read(left)) and oldest.answer is None:
                    # Answers come in order: that of the oldest request was lost.
                    self._send_again([oldest])
                    failures = 0
                    deadline = self.transport.now() + self._allowance_s()
                continue
            failures += 1
            if failures == attempts:
                raise LinkLostError(f"{self.transport.name}: the board does not answer, asked {attempts} times")
            self._send_again([sent for sent in self._pending if sent.answer is None])
            deadline = self.transport.now() + self._allowance_s() * min(1 << failures, LONGEST_BACKOFF)

    def _give_up(self) -> None:
        """End the session on this side: only another one tells what the board did."""
        self.session = 0
        self._pending.clear()

    def _send_again(self, unanswered: Iterable[_Sent]) -> None:
        self.retries += 1
        self.transport.write(DELIMITER + b"".join(sent.frame for sent in unanswered))

    def _receive(self, content: bytes) -> bool:
        """Take answers; whether one of them was waited for."""
        useful = False
        for packet in self._frames.feed(content):
            answer = Answer.of(packet)
            if answer is None or answer.session != self.session:
                continue
            if answer.status == Status.CLOSED:
                raise BoardResetError("the board was reset: its state is not what it was")
            for sent in self._pending:
                if sent.sequence == answer.sequence and sent.answer is None:
                    self._check(sent, answer)
                    sent.answer = answer
                    useful = True
        return useful

    def _check(self, sent: _Sent, answer: Answer) -> None:
        expected = {sent.request.answer_bytes, *([0] if sent.request.may_be_empty else [])}
        opens = sent.request.command is Command.OPEN and answer.data
        if answer.status != Status.OK or not (opens or len(answer.data) in expected):
            reason = REFUSED.get(answer.status, f"status {answer.status:#x}, {len(answer.data)} bytes")
            raise RefusedError(f"the board refuses {sent.request.command.name}: {reason}")

    def _allowance_s(self) -> float:
        """Time until the next answer at most: the line may be full, and the oldest request is the next executed."""
        if self._identity is None or self._pending[0].request.command is Command.OPEN:
            return self.transport.latency_s
        requests = [sent.request for sent in self._pending if sent.answer is None]
        length = sum(line_bytes(r.length) + line_bytes(r.answer_bytes + ANSWER_BYTES) for r in requests)
        on_line_s = length * LINE_BITS / self._identity.baud
        return on_line_s + requests[0].cycles / self._identity.clock_hz + self.transport.latency_s
