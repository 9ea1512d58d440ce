"""A second golden model, written from docs/specification.md alone: whole numbers and loops, slow and obvious."""

from collections import Counter
from functools import cache
from math import isqrt

FRACTION = 128
GENERATOR_SEEDS, INITIAL_WEIGHTS, SHUFFLES = 0, 1, 2
INPUT, FIRE, GATE, THIN = 0, 1, 2, 3
TRAINING, INFERENCE = 0, 1


def philox(seed, counter):
    """Section 3: the four words of Philox4x32-10."""
    x0, x1, x2, x3 = counter
    k0, k1 = seed % 2**32, seed // 2**32
    for _ in range(10):
        product0, product1 = 0xD2511F53 * x0, 0xCD9E8D57 * x2
        x0, x1 = product1 // 2**32 ^ x1 ^ k0, product1 % 2**32
        x2, x3 = product0 // 2**32 ^ x3 ^ k1, product0 % 2**32
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return x0, x1, x2, x3


class Lfsr:
    """Section 4: one generator, shifted bit by bit."""

    def __init__(self, state):
        self.state = state
        self.words = 0

    def shift(self):
        odd = self.state % 2
        self.state //= 2
        if odd:
            self.state ^= 0x80200003

    def lines(self, count):
        """The bytes of one operation over `count` lines."""
        drawn = []
        for line in range(count):
            if line % 4 == 0:
                self.words += 1
                for _ in range(32):
                    self.shift()
            drawn.append(self.state // 256 ** (line % 4) % 256)
        return drawn


def generator_seed(seed, number, bank, layer):
    """Section 4: where a generator starts."""
    first = philox(seed, (number, bank, layer, GENERATOR_SEEDS))[0]
    return 0x80200003 if first == 0 else first


def fire_table(scale):
    """Section 5: ln(u / (1 - u)) is 2 artanh((2r - 255) / 256)."""
    return [(1 if r > 127 else -1) * _rounded(2 * scale * atanh) for r, atanh in enumerate(_fire_logarithms())]


def window_table(scale):
    """Section 5: arcosh(1 / sqrt(u)) is artanh(sqrt(1 - u))."""
    return [_rounded(4 * scale * atanh) for atanh in _window_logarithms()]


def initial_weights(seed, layer, rows, columns, scale, weight_max):
    """Section 6: the weights at power-up, a list of rows."""
    fan_in = rows - 1
    bound = 0
    while bound < weight_max and _within_initial_bound(layer, fan_in, scale, bound + 1):
        bound += 1
    weights = []
    for row in range(rows):
        weights.append([])
        for column in range(columns):
            index = row * columns + column
            word = philox(seed, (index // 4, 0, layer, INITIAL_WEIGHTS))[index % 4]
            weights[-1].append(word * (2 * bound + 1) // 2**32 - bound)
    return weights


def sample_order(seed, epoch, samples, block=1):
    """Section 9: the order of the samples in an epoch."""
    keys = []
    for index in range(-(-samples // block)):
        w0, w1, _, _ = philox(seed, (index, epoch, 0, SHUFFLES))
        keys.append((w0 * 2**32 + w1, index))
    return [sample for _, index in sorted(keys) for sample in range(index * block, min((index + 1) * block, samples))]


class Machine:
    """Sections 6 to 8: the whole machine; list index l - 1 is layer l. Section 15: `events` counts as it goes."""

    def __init__(self, config):
        self.seed, self.sizes, self.gate, self.scale = config.seed, config.sizes, str(config.gate), config.scale
        self.draws, self.samples = config.input_draws, 0
        self.digits, self.base, self.period = config.carry_digits, config.carry_base, config.carry_period
        self.pulses, self.pulses_per_step = config.carry_pulses, config.pulses_per_step
        self.layers = len(self.sizes) - 1
        self.events = Counter()
        self.digit_max = 2 ** (config.weight_bits - 1) - 1
        scales = [self.scale * self.draws] + [self.scale] * (self.layers - 1)
        self.thresholds = [fire_table(scale) for scale in scales]
        self.windows = [[4 * scale] * 256 if self.gate == "fixed_window" else window_table(scale) for scale in scales]
        self.cells = [
            [
                [self.digits_of(weight) for weight in row]
                for row in initial_weights(
                    self.seed, layer, self.sizes[layer - 1] + 1, self.sizes[layer], self.scale, self.initial_max()
                )
            ]
            for layer in range(1, self.layers + 1)
        ]
        self.generators = {}
        for layer in range(1, self.layers + 1):
            if layer == 1:
                self._add_generator(INPUT, TRAINING, layer)
            self._add_generator(FIRE, TRAINING, layer)
            if layer < self.layers and self.gate != "fixed_window":
                self._add_generator(GATE, TRAINING, layer)
            self._add_generator(THIN, TRAINING, layer)
        self._reseed_inference()

    @property
    def weights(self):
        """Cells of each layer, row by row, those of a synapse side by side."""
        return [[[cell for synapse in row for cell in synapse] for row in layer] for layer in self.cells]

    def initial_max(self):
        """Section 6: the largest weight whose lower digits are proper digits."""
        weight = self.digit_max
        for _ in range(self.digits - 1):
            weight = weight * self.base + self.base - 1
        return weight

    def digits_of(self, weight):
        """Section 6: the cells of a weight."""
        magnitude, cells = abs(weight), []
        while len(cells) < self.digits - 1:
            cells.append(magnitude % self.base)
            magnitude //= self.base
        return [cell if weight > 0 else -cell for cell in [*cells, magnitude]]

    def weight(self, layer, row, column):
        """Section 1: what the cells of a synapse make together."""
        value = 0
        for cell in reversed(self.cells[layer - 1][row][column]):
            value = value * self.base + cell
        return value

    def ledger(self):
        """Section 15: events by layer and phase; what did not happen is left out."""
        table = {}
        for (layer, phase, kind), number in self.events.items():
            if number:
                table.setdefault((layer, phase), {})[kind] = number
        return table

    def states(self):
        """States of the training generators, by layer and generator number."""
        return [lfsr.state for (_, _, bank), lfsr in self.generators.items() if bank == TRAINING]

    def train(self, features, label, k):
        """Section 7: train a sample and return what each layer did."""
        rows, sums, fired = self._forward(features, TRAINING)
        signs = [[0] * columns for columns in self.sizes[1:]]
        gates, sensed, pulsed = ([[] for _ in fired] for _ in range(3))
        for output in range(self.sizes[-1]):
            signs[-1][output] = (1 if output == label else 0) - fired[-1][output]
        if any(signs[-1]):
            for layer in range(1, self.layers):
                gates[layer - 1] = self._gates(layer, sums[layer - 1])
            for layer in range(self.layers - 1, 0, -1):
                if any(signs[layer]):
                    if any(gates[layer - 1]):
                        self._count(layer + 1, "backward", references=2)
                        self._count(layer + 1, "backward", column_drives=sum(abs(d) for d in signs[layer]))
                    for row in range(self.sizes[layer]):
                        if gates[layer - 1][row]:
                            sensed[layer - 1].append(row)
                            s = 0
                            for column, d in enumerate(signs[layer]):
                                s += self.weight(layer + 1, row, column) * d
                                self._count(layer + 1, "backward", cells_read=self.digits if d else 0)
                            self._count(layer + 1, "backward", rows_sensed=1, comparisons=2)
                            signs[layer - 1][row] = 0 if s == 0 else s // abs(s)
            for layer in range(1, self.layers + 1):
                pulsed[layer - 1] = self._update(layer, rows[layer - 1][-1], signs[layer - 1], k)
        self.samples += 1
        carried = [([], []) for _ in fired]
        if self.digits > 1 and self.samples % self.period == 0:
            carried = [self._carry(layer) for layer in range(1, self.layers + 1)]
        return [
            {
                "rows": [row for pattern in r for row in pattern],
                "fired": f,
                "gates": g,
                "sensed": b,
                "signs": d,
                "pulsed": p,
                "carried_up": up,
                "carried_down": down,
            }
            for r, f, g, b, d, p, (up, down) in zip(rows, fired, gates, sensed, signs, pulsed, carried, strict=True)
        ]

    def votes(self, samples, passes):
        """Section 8: the votes of a call."""
        self._reseed_inference()
        votes = []
        for features in samples:
            fired = [self._forward(features, INFERENCE)[2][-1] for _ in range(passes)]
            votes.append([sum(bits) for bits in zip(*fired, strict=True)])
        return votes

    def _forward(self, features, bank):
        patterns = []
        for _ in range(self.draws):
            drawn = self._draw(INPUT, bank, 1, self.sizes[0])
            patterns.append([1 if x > r else 0 for x, r in zip(features, drawn, strict=True)])
        rows, sums, fired = [], [], []
        for layer in range(1, self.layers + 1):
            columns = range(self.sizes[layer])
            rows.append([[row for row, bit in enumerate([*pattern, 1]) if bit] for pattern in patterns])
            phase = "forward" if bank == TRAINING else "inference"
            for pattern in rows[-1]:
                for _ in pattern:
                    self._count(layer, phase, row_events=1, cells_read=len(columns) * self.digits)
            sums.append([sum(self.weight(layer, row, j) for events in rows[-1] for row in events) for j in columns])
            drawn = self._draw(FIRE, bank, layer, len(columns))
            self._count(layer, phase, comparisons=len(columns), references=len(columns))
            patterns = [[1 if sums[-1][j] > self.thresholds[layer - 1][drawn[j]] else 0 for j in columns]]
            fired.append(patterns[0])
        return rows, sums, fired

    def _gates(self, layer, sums):
        columns, thresholds, windows = range(self.sizes[layer]), self.thresholds[layer - 1], self.windows[layer - 1]
        own = 0 if self.gate == "fixed_window" else 2
        self._count(layer, "gate", comparisons=2 * len(columns), references=own * len(columns) or 2)
        if self.gate == "fixed_window":
            return [1 if abs(sums[j]) < windows[0] else 0 for j in columns]
        first = self._draw(GATE, TRAINING, layer, len(columns))
        if self.gate == "random_window":
            return [1 if abs(sums[j]) < windows[first[j]] else 0 for j in columns]
        second = self._draw(GATE, TRAINING, layer, len(columns))
        return [1 if (sums[j] > thresholds[first[j]]) != (sums[j] > thresholds[second[j]]) else 0 for j in columns]

    def _update(self, layer, rows, signs, k):
        if k > 0:
            drawn = self._draw(THIN, TRAINING, layer, self.sizes[layer - 1] + 1)
            rows = [row for row in rows if drawn[row] % 2**k == 0]
        if not any(signs):
            return []
        for row in rows:
            self._count(layer, "update", row_pulses=self.pulses_per_step)
            for synapse, sign in zip(self.cells[layer - 1][row], signs, strict=True):
                self._count_pulse(layer, "update", sign)
                synapse[0] = max(-self.digit_max, min(self.digit_max, synapse[0] + sign))
        return rows

    def _carry(self, layer):
        """Section 7, step 7, of whole numbers: a full cell gives QF steps for Q of the next, if that has room."""
        up, down = [], []
        for row, synapses in enumerate(self.cells[layer - 1]):
            for digit in range(self.digits - 1):
                self._count_digit_read(layer)
                if any(abs(synapse[digit]) >= self.base * self.pulses for synapse in synapses):
                    self._count_digit_read(layer)
                before = len(up) + len(down)
                for column, synapse in enumerate(synapses):
                    cell = (row * len(synapses) + column) * self.digits + digit
                    for left, direction in ((up, 1), (down, -1)):
                        full = direction * synapse[digit] >= self.base * self.pulses
                        if full and direction * synapse[digit + 1] + self.pulses <= self.digit_max:
                            for _ in range(self.pulses):
                                synapse[digit + 1] += direction
                                self._count_pulse(layer, "carry", direction)
                            for _ in range(self.base * self.pulses):
                                synapse[digit] -= direction
                                self._count_pulse(layer, "carry", -direction)
                            left.append(cell)
                if len(up) + len(down) > before:
                    steps = self.pulses + self.base * self.pulses
                    self._count(layer, "carry", row_pulses=steps * self.pulses_per_step)
        return up, down

    def _count(self, layer, phase, **kinds):
        for kind, number in kinds.items():
            self.events[layer, phase, kind] += number

    def _count_pulse(self, layer, phase, sign):
        """A cell pulsed along a sign: one device is SET, the other RESET."""
        if sign:
            for _ in range(self.pulses_per_step):
                self._count(layer, phase, column_drives=1, set_pulses=1, reset_pulses=1)
            self._count(layer, phase, **{"raised" if sign > 0 else "lowered": 1})

    def _count_digit_read(self, layer):
        columns = self.sizes[layer]
        self._count(layer, "carry", row_events=1, cells_read=columns, comparisons=2 * columns, references=2)

    def _draw(self, number, bank, layer, lines):
        generator = self.generators[layer, number, bank]
        words = generator.words
        drawn = generator.lines(lines)
        phase = "inference" if bank == INFERENCE else {GATE: "gate", THIN: "update"}.get(number, "forward")
        self._count(layer, phase, random_words=generator.words - words)
        return drawn

    def _add_generator(self, number, bank, layer):
        self.generators[layer, number, bank] = Lfsr(generator_seed(self.seed, number, bank, layer))

    def _reseed_inference(self):
        self._add_generator(INPUT, INFERENCE, 1)
        for layer in range(1, self.layers + 1):
            self._add_generator(FIRE, INFERENCE, layer)


def _within_initial_bound(layer, fan_in, scale, bound):
    if layer == 1:
        return 15 * fan_in * bound**2 <= 100 * scale**2
    return 5 * fan_in * bound**2 <= 10 * scale**2


@cache
def _fire_logarithms():
    return [_atanh(abs(2 * r - 255) * 2**FRACTION // 256) for r in range(256)]


@cache
def _window_logarithms():
    return [_atanh(isqrt((511 - 2 * r) * 2 ** (2 * FRACTION) // 512)) for r in range(256)]


def _atanh(x):
    """x + x^3/3 + x^5/5 + ..., of a fixed-point number of FRACTION fractional bits."""
    square = x * x >> FRACTION
    total, power, order = 0, x, 1
    while power:
        total += power // order
        power = power * square >> FRACTION
        order += 2
    return total


def _rounded(fixed):
    return (fixed + 2 ** (FRACTION - 1)) >> FRACTION
