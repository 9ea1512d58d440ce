// Runs the verilated board by its serial pins; stochastor.fpga.simulated.board calls it.
//
// pins.h, generated for a board, defines CLOCKS_PER_BIT, RX, TX and LEDS(top); where arrays are reached by pins, what
// arrays.h asks for; and where there is a memory, what sdram.h asks for.

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "Vstochastor_board.h"
#include "pins.h"
#include "verilated.h"

#ifdef ARRAYS
#include "arrays.h"
#endif
#ifdef REFRESH_CYCLES
#include "sdram.h"
#endif

namespace {

constexpr int BITS = 10;

// Shifts bytes onto a line: a start bit, eight data bits, a stop bit.
struct Sender {
    std::deque<uint8_t> bytes;
    uint32_t shift = 0;
    int bits_left = 0;
    int clocks_left = 0;

    bool line() {
        if (clocks_left == 0) {
            if (bits_left == 0) {
                if (bytes.empty()) return true;
                shift = 0x200u | uint32_t(bytes.front()) << 1;
                bytes.pop_front();
                bits_left = BITS;
            } else {
                shift >>= 1;
            }
            --bits_left;
            clocks_left = CLOCKS_PER_BIT;
        }
        --clocks_left;
        return shift & 1;
    }

    bool busy() const { return !bytes.empty() || bits_left || clocks_left; }
};

// Takes bytes off a line, sampling the middle of each bit.
struct Receiver {
    std::vector<uint8_t> bytes;
    uint32_t shift = 0;
    int bit = -1;
    int clocks_left = 0;
    uint64_t errors = 0;

    // Whether a byte 0, the end of a frame, is complete.
    bool sample(bool line) {
        if (bit < 0) {
            if (line) return false;
            bit = 0;
            clocks_left = CLOCKS_PER_BIT / 2;
        }
        if (clocks_left-- > 0) return false;
        clocks_left = CLOCKS_PER_BIT - 1;
        shift = shift >> 1 | uint32_t(line) << (BITS - 1);
        if (++bit < BITS) return false;
        bit = -1;
        if (!line) {
            ++errors;
            return false;
        }
        bytes.push_back(uint8_t(shift >> 1));
        return bytes.back() == 0;
    }
};

struct Board {
    VerilatedContext context;
    std::unique_ptr<Vstochastor_board> top;
    Sender sender;
    Receiver receiver;
    uint64_t cycles = 0;
#ifdef ARRAYS
    Arrays<Vstochastor_board> arrays;
#endif
#ifdef REFRESH_CYCLES
    Sdram<Vstochastor_board> sdram;
#endif
    bool stopped() const {
#ifdef ARRAYS
        if (arrays.stopped) return true;
#endif
        return fault() != nullptr;
    }

    const char *fault() const {
#ifdef REFRESH_CYCLES
        return sdram.violation;
#else
        return nullptr;
#endif
    }

    // Lets the memory see an edge of the clock.
    void remember() {
#ifdef REFRESH_CYCLES
        sdram.clock(*top);
#endif
    }

    Board() : top(new Vstochastor_board(&context, "")) {
        top->RX = 1;
        reset();
        cycles = 0;
    }

    void settle() {
        top->eval();
#ifdef ARRAYS
        arrays.decide(*top, cycles);
#endif
    }

    void edge() {
        top->clk = 1;
        top->eval();
        remember();
        top->clk = 0;
        top->eval();
        remember();
        ++cycles;
    }

    void reset() {
#ifdef REFRESH_CYCLES
        sdram.lose();
#endif
        top->rst = 1;
        for (int index = 0; index < 4; ++index) edge();
        top->rst = 0;
        receiver.bit = -1;
    }
};

}  // namespace

extern "C" {

Board *board_new() { return new Board; }
void board_delete(Board *board) { delete board; }
uint64_t board_cycles(Board *board) { return board->cycles; }
uint64_t board_line_errors(Board *board) { return board->receiver.errors; }
uint8_t board_leds(Board *board) { return LEDS((*board->top)); }
void board_reset(Board *board) { board->reset(); }

// What was done to the memory and must not be; null if nothing.
const char *board_memory_fault(Board *board) { return board->fault(); }

#ifdef ARRAYS
// Lets arrays answer their pins from now on.
void board_arrays(Board *board, Answer answer) { board->arrays.answer = answer; }

// Hands out what the pins of an array say now.
void board_pins(Board *board, uint32_t layer, uint32_t *words) {
    uint32_t now[ARRAYS][ARRAY_WORDS] = {};
#define READ(layer, port, offset, count) board->arrays.read(board->top->port, now[layer] + offset, count);
    EACH_PIN(READ)
#undef READ
    std::memcpy(words, now[layer], sizeof now[layer]);
}
#endif

// Queues bytes for the line to the board.
void board_send(Board *board, const uint8_t *bytes, uint64_t count) {
    board->sender.bytes.insert(board->sender.bytes.end(), bytes, bytes + count);
}

// Whether bytes are still on their way to the board.
int board_sending(Board *board) { return board->sender.busy(); }

// Runs until the board has sent the end of a frame, or for a number of cycles; returns the bytes that wait.
uint64_t board_run(Board *board, uint64_t cycles) {
    Vstochastor_board &top = *board->top;
    for (uint64_t end = board->cycles + cycles; board->cycles < end;) {
        top.RX = board->sender.line();
        board->settle();
        bool line = top.TX;
        board->edge();
        if (board->stopped()) break;
        if (board->receiver.sample(line)) break;
    }
    return board->receiver.bytes.size();
}

// Hands out the bytes that came from the board.
void board_take(Board *board, uint8_t *bytes) {
    std::memcpy(bytes, board->receiver.bytes.data(), board->receiver.bytes.size());
    board->receiver.bytes.clear();
}
}
