"""An SDRAM in Python, from the data sheets alone, that raises on whatever they forbid.

Times are those of the AS4C16M16SA-7 (Alliance Memory, March 2015, table 16). Where the data sheets of other chips count
in cycles (tWR and tMRD: two), those are checked as well.
"""

T_RCD, T_RP, T_RAS, T_RAS_MOST, T_RC, T_RFC, T_WR, T_MRD, T_RRD = 21, 21, 42, 120_000, 63, 63, 14, 14, 14
INTERVAL = 64e6 / 8192
BANKS, ROWS, COLUMNS, LATENCY = 4, 8192, 512, 2
NAMES = {
    (0, 0, 0): "NOP",
    (1, 0, 0): "ACTIVATE",
    (0, 1, 0): "READ",
    (0, 1, 1): "WRITE",
    (1, 0, 1): "PRECHARGE",
    (1, 1, 0): "REFRESH",
    (1, 1, 1): "MODE",
    (0, 0, 1): "TERMINATE",
}


class Violation(AssertionError):
    """What a data sheet forbids."""


class SdramChip:
    """A chip that is clocked once a cycle.

    Attributes
    ----------
    commands : list of (int, str)
        Cycle and name of all that were not NOP.
    words : dict
        What is stored, by (bank, row, column).
    """

    def __init__(self, period_ns, power_up_us):
        self.period_ns = period_ns
        self.power_up_ns = 1e3 * power_up_us
        self.cycle = 0
        self.commands, self.words = [], {}
        self.rows = [None] * BANKS
        self._at = {}
        self._driven = {}
        self._refreshes, self._precharged, self._ready = 0, False, False

    def edge(self, ras, cas, we, bank, address, mask, word, drive):
        """A rising edge of the clock; what the data pins are around the next one, None if nothing drives them."""
        self.cycle += 1
        name = NAMES[ras, cas, we]
        if self.cycle in self._driven and drive:
            raise Violation("both sides drive the data pins")
        if self._ready and "REFRESH" in self._at:
            self._require(self._since("REFRESH") * self.period_ns <= INTERVAL, "a refresh is late")
        if name != "NOP":
            self.commands.append((self.cycle, name))
            self._common(name)
            getattr(self, f"_{name.lower()}")(bank, address, mask, word, drive)
        self._require(not drive or name == "WRITE", "the data pins are driven without a WRITE")
        return self._driven.pop(self.cycle + 1, None)

    def _common(self, name):
        if not self._precharged:
            self._require(self.cycle * self.period_ns >= self.power_up_ns, "a command comes before the chip is ready")
            self._require(name == "PRECHARGE", "the first command is no PRECHARGE")
        elif not self._ready:
            self._require(name in ("REFRESH", "MODE"), f"{name} comes before MODE")
        self._apart("REFRESH", T_RFC)
        self._apart("MODE", T_MRD, 2)

    def _activate(self, bank, address, mask, word, drive):
        self._require(self.rows[bank] is None, "ACTIVATE of a bank with an open row")
        self._apart("PRECHARGE", T_RP)
        self._apart(("ACTIVATE", bank), T_RC)
        self._apart("ACTIVATE", T_RRD)
        self._note("ACTIVATE", bank)
        self.rows[bank] = address

    def _access(self, bank, address):
        self._require(self.rows[bank] is not None, "an access to a bank without an open row")
        self._require(address < COLUMNS, "an address of an access has other bits than those of a column")
        self._apart(("ACTIVATE", bank), T_RCD)
        return bank, self.rows[bank], address

    def _read(self, bank, address, mask, word, drive):
        place = self._access(bank, address)
        self._require(not mask, "a READ is masked")
        self._driven[self.cycle + LATENCY] = self.words.get(place, 0xDEAD)

    def _write(self, bank, address, mask, word, drive):
        place = self._access(bank, address)
        self._require(drive and not mask, "a WRITE is masked or without data")
        self._require(not self._driven, "a WRITE comes while words of a READ come")
        self._note("WRITE", bank)
        self.words[place] = word

    def _precharge(self, bank, address, mask, word, drive):
        self._require(address >> 10 & 1, "PRECHARGE of a single bank")
        for index in range(BANKS):
            if self.rows[index] is not None:
                self._apart(("ACTIVATE", index), T_RAS)
                most = self._since(("ACTIVATE", index)) * self.period_ns <= T_RAS_MOST
                self._require(most, "a row was open for too long")
                self._apart(("WRITE", index), T_WR, 2)
        self.rows = [None] * BANKS
        self._precharged = True
        self._note("PRECHARGE")

    def _refresh(self, bank, address, mask, word, drive):
        self._require(not any(row is not None for row in self.rows), "REFRESH with an open row")
        self._apart("PRECHARGE", T_RP)
        self._refreshes += 1
        self._note("REFRESH")

    def _mode(self, bank, address, mask, word, drive):
        self._require(self._refreshes >= 8, "MODE before eight refreshes")
        self._require((bank, address) == (0, LATENCY << 4), f"mode {address:#x} of bank {bank}")
        self._ready = True
        self._note("MODE")

    def _note(self, *keys):
        for key in (keys[0], keys) if len(keys) > 1 else keys:
            self._at[key] = self.cycle

    def _since(self, key):
        return self.cycle - self._at[key]

    def _apart(self, key, time_ns, cycles=1):
        if key in self._at:
            since = self._since(key)
            name = key if isinstance(key, str) else key[0]
            late = since * self.period_ns >= time_ns - 1e-6 and since >= cycles
            self._require(late, f"{self.commands[-1][1]} comes {since} cycles after {name}")

    def _require(self, holds, what):
        if not holds:
            raise Violation(f"cycle {self.cycle}: {what}")
