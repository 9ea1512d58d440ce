// An SDRAM behind the pins of a verilated board; harness.cc clocks it.
//
// pins.h defines SDRAM_PIN(top, pin) and SDRAM_DATA(top, pin), BANK_BITS, ROW_BITS and COLUMN_BITS, and
// REFRESH_CYCLES, within which a refresh must follow another.

#include <cstdint>
#include <vector>

template <class Top>
struct Sdram {
    static constexpr int BANKS = 1 << BANK_BITS;
    static constexpr int CLOSED = -1;
    static constexpr uint32_t ALL_BANKS = 1u << 10;
    static constexpr int POWER_UP_REFRESHES = 8;
    static constexpr uint16_t IN_TRANSITION = 0xbad;
    enum { NOTHING = 0, ACTIVATE = 1, READ = 2, REFRESH = 3, TERMINATE = 4, PRECHARGE = 5, WRITE = 6, MODE = 7 };

    std::vector<uint16_t> words = std::vector<uint16_t>(size_t(1) << (BANK_BITS + ROW_BITS + COLUMN_BITS));
    int rows[BANKS];
    uint32_t latency = 0;
    int refreshes = 0;
    uint64_t since_refresh = 0;
    bool level = false;
    uint16_t coming[4] = {};
    bool comes[4] = {};
    const char *violation = nullptr;

    Sdram() {
        for (int &row : rows) row = CLOSED;
    }

    // What a reset of the board may do to the words, at the worst.
    void lose() {
        for (uint16_t &word : words) word = uint16_t(word * 5 + 0x5a5b);
        latency = 0;
        refreshes = 0;
    }

    // Follows the clock's pin; called at each edge of the board's clock. A word comes half a cycle before the edge that it
    // is to be sampled with, the latest that it may.
    void clock(Top &top) {
        bool before = level;
        level = SDRAM_PIN(top, clk);
        if (level && !before) edge(top);
        if (level != before) SDRAM_DATA(top, i) = !level && comes[0] ? coming[0] : IN_TRANSITION;
    }

    void edge(Top &top) {
        for (int index = 0; index < 3; ++index) {
            coming[index] = coming[index + 1];
            comes[index] = comes[index + 1];
        }
        comes[3] = false;
        if (latency && ++since_refresh > REFRESH_CYCLES) violate("a refresh of the SDRAM is late");
        bool drive = SDRAM_DATA(top, oe);
        if (!SDRAM_PIN(top, clk_en) || SDRAM_PIN(top, cs)) return;  // cs, ras, cas and we are low where asserted
        int command = !SDRAM_PIN(top, ras) | !SDRAM_PIN(top, cas) << 1 | !SDRAM_PIN(top, we) << 2;
        if (drive && command != WRITE) violate("the data pins of the SDRAM are driven without a WRITE");
        act(top, command, SDRAM_PIN(top, ba), SDRAM_PIN(top, a));
    }

    void act(Top &top, int command, uint32_t bank, uint32_t address) {
        bool open = false;
        for (int row : rows) open |= row != CLOSED;
        switch (command) {
            case ACTIVATE:
                if (!latency) violate("ACTIVATE of an SDRAM that is not ready");
                if (rows[bank] != CLOSED) violate("ACTIVATE of a bank of the SDRAM with an open row");
                rows[bank] = int(address);
                break;
            case READ:
            case WRITE: {
                if (rows[bank] == CLOSED || address >> COLUMN_BITS) {
                    violate("an access to a bank of the SDRAM without an open row, or beyond it");
                    break;
                }
                size_t place = (size_t(rows[bank]) << BANK_BITS | bank) << COLUMN_BITS | address;
                if (command == WRITE) {
                    if (comes[0] || comes[1]) violate("both sides drive the data pins of the SDRAM");
                    if (!SDRAM_DATA(top, oe) || SDRAM_PIN(top, dqm)) violate("a WRITE to the SDRAM without data");
                    words[place] = SDRAM_DATA(top, o);
                } else {
                    coming[latency - 1] = words[place];
                    comes[latency - 1] = true;
                }
                break;
            }
            case PRECHARGE:
                if (address & ALL_BANKS) {
                    for (int &row : rows) row = CLOSED;
                } else {
                    rows[bank] = CLOSED;
                }
                break;
            case REFRESH:
                if (open) violate("REFRESH of an SDRAM with an open row");
                ++refreshes;
                since_refresh = 0;
                break;
            case MODE:
                if (open || refreshes < POWER_UP_REFRESHES) violate("MODE of an SDRAM that was not made ready");
                latency = address >> 4 & 7;
                if ((address & ~0x70u) || latency < 2 || latency > 3) violate("a mode of the SDRAM that is not used here");
                break;
            case TERMINATE: violate("TERMINATE, which is not used here"); break;
            default: break;
        }
    }

    void violate(const char *what) {
        if (!violation) violation = what;
    }
};
