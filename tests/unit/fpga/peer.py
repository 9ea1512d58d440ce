"""A second board, in Python, from the page of the host link alone."""

import struct
import zlib

import numpy as np
from cobs import cobs
from stochastor.model.lfsr import state_before, word_after
from stochastor.model.trainer import Trainer

LINE_S = 1e-5


class Peer:
    """A transport to a board that is the golden model behind the link's rules; time passes while the host reads.

    Attributes
    ----------
    trained : list of int
        Numbers of the samples trained, in order.
    packets : int
        Requests executed.
    """

    name = "peer"
    latency_s = 100 * LINE_S

    def __init__(self, config, *, slow=0, capacity=0):
        self.config = config
        self.capacity = capacity
        self.memory = {}
        self.trained = []
        self.packets = 0
        self._slow = slow
        self._time = 0.0
        self._line = bytearray()
        self._out = bytearray()
        self._begun = bytearray()
        self.machine = Trainer(config)
        self.reset()

    def reset(self):
        """Generators, position, session and memory are lost; cells stay, but for a sample under way."""
        fresh = Trainer(self.config)
        fresh.load(self.machine.weights())
        self.machine = fresh
        self.session, self.next, self.queue, self.answers = 0, 0, [], {}
        self.memory = {}
        self._begun.clear()

    def write(self, content):
        self._line += content

    def read(self, timeout_s):
        for _ in range(max(1, round(timeout_s / LINE_S))):
            self._time += LINE_S
            if self._line:
                self._byte(self._line.pop(0))
            elif self.queue and self._slow <= 0:
                self._execute(*self.queue.pop(0))
            if self._out:
                break
        content, self._out = bytes(self._out), bytearray()
        return content

    def now(self):
        return self._time

    def close(self):
        pass

    def _byte(self, byte):
        if byte:
            self._begun.append(byte)
            return
        frame, self._begun = bytes(self._begun), bytearray()
        try:
            packet = cobs.decode(frame)
        except cobs.DecodeError:
            return
        if len(packet) >= 16 and zlib.crc32(packet[:-4]) == int.from_bytes(packet[-4:], "little"):
            self._packet(packet[:-4])

    def _packet(self, packet):
        session, sequence, command = struct.unpack("<IBB", packet[:6])
        if command == 1 and session not in (0, self.session):
            previous, self.session, self.next = self.session, session, 1
            self.queue, self.answers = [], {}
            identity = bytes([4, 0, 1, 0]) + bytes.fromhex(self.config.digest)
            identity += struct.pack("<IIIII", 1_000_000, 100_000, 1024, 126, self.capacity)
            self._answer(0, 0x80, identity + struct.pack("<II", previous, self.machine.samples_trained))
        elif self.session == 0:
            self._send(session, 0, 0x84, b"")
        elif session == self.session and sequence == self.next:
            self.next = (self.next + 1) % 256
            self.queue.append((sequence, command, packet[6:]))
        elif session == self.session and (self.next - sequence - 1) % 256 < 7 and sequence in self.answers:
            self._out += self.answers[sequence]

    def _execute(self, sequence, command, rest):
        word, option, count = struct.unpack("<IBB", rest[:6])
        data = np.frombuffer(rest[6:], dtype=np.uint8)
        run = {
            2: self._train,
            3: self._infer,
            4: self._read_words,
            5: self._write_words,
            6: self._seek,
            7: self._counters,
            8: self._reset,
            9: self._store,
            10: self._replay,
            12: self._replay_block,
        }[command]
        self.packets += 1
        self._answer(sequence, *run(word, option, count, data))

    def _train(self, word, option, count, data):
        inputs = self.config.sizes[0]
        if len(data) != count * (inputs + 2):
            return 0x81, b""
        if word != self.machine.samples_trained:
            return 0x82, b""
        return 0x80, self._fired(word, option, data.reshape(count, -1))

    def _fired(self, word, option, samples):
        fired, count = b"", len(samples)
        for number, sample in enumerate(samples, start=word):
            assert self.config.carries_after(number) == (bool(option & 0x80) and number == word + count - 1)
            self.trained.append(number)
            trace = self.machine.train_sample(sample[2:], int.from_bytes(sample[:2].tobytes(), "little"), option & 7)
            fired += np.packbits(trace.outputs, bitorder="little").tobytes()
        return fired

    def _store(self, word, option, count, data):
        if word + count > self.capacity:
            return 0x85, b""
        self.memory.update(enumerate(data.view("<u2").tolist(), start=word))
        return 0x80, b""

    def _replay(self, word, option, count, data):
        if len(data) != count * 3:
            return 0x81, b""
        if word != self.machine.samples_trained:
            return 0x82, b""
        places = [int.from_bytes(place.tobytes(), "little") for place in data.reshape(count, 3)]
        if any(place >= self.capacity for place in places):
            return 0x85, b""
        return 0x80, self._fired(word, option, [self._stored(place) for place in places])

    def _replay_block(self, word, option, count, data):
        if len(data) != 3:
            return 0x81, b""
        if word != self.machine.samples_trained:
            return 0x82, b""
        place, samples = int.from_bytes(data.tobytes(), "little"), []
        if place >= self.capacity:
            return 0x85, b""
        for _ in range(count):
            samples.append(self._stored(place))
            place += 1 + self.memory[place]
        self._fired(word, option, samples)
        return 0x80, b""

    def _stored(self, place):
        """A sample out of the memory: its label in two bytes, then its features."""
        follow = [self.memory[place + 1 + number] for number in range(self.memory[place])]
        label, rest, pairs = follow[0], follow[1:], []
        while len(pairs) < -(-self.config.sizes[0] // 2):
            ones = rest.pop(0)
            pairs += [rest.pop(0) if ones >> bit & 1 else 0 for bit in range(16)]
        assert not rest
        return np.array([label, *pairs], dtype="<u2").view(np.uint8)[: 2 + self.config.sizes[0]]

    def _infer(self, word, option, count, data):
        if word == 0:
            self._call = []
        self._call += list(data.reshape(count, -1))
        return 0x80, self.machine.infer(np.array(self._call), option)[word:].astype(np.uint8).tobytes()

    def _read_words(self, word, option, count, data):
        if option & 0x80:
            return 0x80, struct.pack("<I", word_after(self._states()[option & 0x7F, word & 0xFFFF]))
        row, column = word & 0xFFFF, word >> 16
        flat = self.machine.weights()[option].ravel()
        start = row * self.config.cell_columns(option + 1) + column
        return 0x80, flat[start : start + count].astype("<i2").tobytes()

    def _write_words(self, word, option, count, data):
        weights, states = self.machine.weights(), self._states()
        if option & 0x80:
            states[option & 0x7F, word & 0xFFFF] = state_before(int.from_bytes(data.tobytes(), "little"))
        else:
            start = (word & 0xFFFF) * self.config.cell_columns(option + 1) + (word >> 16)
            weights[option].ravel()[start : start + count] = data.view("<i2")
        self.machine.restore(weights, list(states.values()), self.machine.samples_trained)
        return 0x80, b""

    def _states(self):
        keys = [
            (layer.index - 1, int(generator))
            for layer in self.machine._layers
            for generator, bank in layer.generators
            if not bank
        ]
        return dict(zip(keys, self.machine.generator_states(), strict=True))

    def _seek(self, word, option, count, data):
        self.machine.samples_trained = word
        return 0x80, b""

    def _counters(self, word, option, count, data):
        return 0x80, bytes(4 * (4 + 3 * self.config.layers))

    def _reset(self, word, option, count, data):
        fresh = Trainer(self.config)
        fresh.load(self.machine.weights())
        self.machine = fresh
        return 0x80, b""

    def _answer(self, sequence, status, data):
        before = len(self._out)
        self._send(self.session, sequence, status, data)
        self.answers[sequence] = bytes(self._out[before:])
        self.answers.pop((sequence - 7) % 256, None)

    def _send(self, session, sequence, status, data):
        packet = struct.pack("<IBB", session, sequence, status) + data
        packet += zlib.crc32(packet).to_bytes(4, "little")
        self._out += cobs.encode(packet) + b"\0"
