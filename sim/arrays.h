// Lets simulated arrays answer the pins of a verilated top; stochastor.sim.bridge is on their side.
//
// The header of a machine defines ARRAYS, ARRAY_WORDS, ANSWER_CYCLES, EACH_PIN(f) and EACH_DECISION(f).

#pragma once

#include <cstdint>
#include <cstring>

// Takes what the pins of an array say from a cycle on; returns the decisions of its comparators, or -1 to stop.
using Answer = int64_t (*)(uint32_t layer, uint64_t cycle, const uint32_t *pins);

template <typename Top>
struct Arrays {
    Answer answer = nullptr;
    bool stopped = false;
    uint32_t pins[ARRAYS][ARRAY_WORDS] = {};
    int64_t decisions[ARRAYS] = {};
    uint64_t decided[ARRAYS] = {};

    // Comparators decide wrongly for ANSWER_CYCLES after a pin has changed, and then rightly.
    void decide(Top &top, uint64_t cycles) {
        if (!answer || stopped) return;
        uint32_t now[ARRAYS][ARRAY_WORDS] = {};
#define READ(layer, port, offset, count) read(top.port, now[layer] + offset, count);
        EACH_PIN(READ)
#undef READ
#define DECIDE(layer, port, mask)                                                                        \
    if (std::memcmp(now[layer], pins[layer], sizeof now[layer])) {                                       \
        std::memcpy(pins[layer], now[layer], sizeof now[layer]);                                         \
        decisions[layer] = answer(layer, cycles, now[layer]);                                            \
        decided[layer] = cycles + ANSWER_CYCLES;                                                         \
        stopped = stopped || decisions[layer] < 0;                                                       \
    }                                                                                                    \
    top.port = (cycles < decided[layer] ? ~decisions[layer] : decisions[layer]) & mask;
        EACH_DECISION(DECIDE)
#undef DECIDE
        top.eval();
    }

    template <typename Port>
    static void read(const Port &port, uint32_t *words, size_t count) {
        std::memcpy(words, &port, sizeof(Port) < 4 * count ? sizeof(Port) : 4 * count);
    }
};
