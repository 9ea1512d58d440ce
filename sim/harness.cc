// Runs the verilated trainer for whole streams of samples; stochastor.sim.compiled calls it.
//
// ports.h, generated for a machine, names the ports and the words of their payloads:
//   SAMPLES, RESULTS, ACCESS, VALUES, COUNTERS, IDLE, TRAINING, SAMPLE_DONE and EACH_TRACE(f);
// and, where arrays are reached by pins, what arrays.h asks for.

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "Vstochastor.h"
#include "ports.h"
#include "verilated.h"

#ifdef ARRAYS
#include "arrays.h"
#endif

namespace {

template <typename Port>
void write_port(Port &port, const uint32_t *words) {
    std::memcpy(&port, words, sizeof(Port));
}

template <typename Port>
void read_port(const Port &port, uint32_t *words, size_t count) {
    std::memset(words, 0, 4 * count);
    std::memcpy(words, &port, sizeof(Port) < 4 * count ? sizeof(Port) : 4 * count);
}

struct Stalls {
    uint64_t state;
    uint32_t threshold;  // stalls a cycle with probability threshold / 2^32

    bool draw() {
        if (!threshold) return false;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return uint32_t(state >> 32) < threshold;
    }
};

struct Machine {
    VerilatedContext context;
    std::unique_ptr<Vstochastor> top;
    uint64_t cycles = 0;
    bool tracing = false;
    std::vector<uint8_t> done;
    std::vector<uint32_t> trace;

    Machine() : top(new Vstochastor(&context, "")) {
        top->rst = 1;
        cycle();
        cycle();
        top->rst = 0;
        cycles = 0;
    }

    void settle() {
        top->eval();
#ifdef ARRAYS
        arrays.decide(*top, cycles);
#endif
    }

#ifdef ARRAYS
    Arrays<Vstochastor> arrays;
    bool stopped() const { return arrays.stopped; }
#else
    bool stopped() const { return false; }
#endif

    void edge() {
        top->clk = 1;
        top->eval();
        top->clk = 0;
        top->eval();
        ++cycles;
    }

    void cycle() {
        settle();
        edge();
    }

    void observe() {
        if (!tracing || !top->TRAINING) return;
        done.push_back(top->SAMPLE_DONE);
        uint32_t words[MAX_TRACE_WORDS];
#define STORE(port, count)                    \
    read_port(top->port, words, count);       \
    trace.insert(trace.end(), words, words + count);
        EACH_TRACE(STORE)
#undef STORE
    }
};

}  // namespace

extern "C" {

Machine *machine_new() { return new Machine; }
void machine_delete(Machine *machine) { delete machine; }
uint64_t machine_cycles(Machine *machine) { return machine->cycles; }
void machine_trace(Machine *machine, int on) { machine->tracing = on; }
uint64_t machine_observed(Machine *machine) { return machine->done.size(); }

// Hands out what was observed since the last call: a byte and the trace words of each cycle.
void machine_take(Machine *machine, uint8_t *done, uint32_t *trace) {
    std::memcpy(done, machine->done.data(), machine->done.size());
    std::memcpy(trace, machine->trace.data(), 4 * machine->trace.size());
    machine->done.clear();
    machine->trace.clear();
}

void machine_counters(Machine *machine, uint32_t *words) {
    read_port(machine->top->COUNTERS, words, COUNTERS_WORDS);
}

#ifdef ARRAYS
// Lets arrays answer their pins from now on.
void machine_arrays(Machine *machine, Answer answer) { machine->arrays.answer = answer; }
#endif

// Streams beats in until results are out and the machine is idle. Returns 0, or 1 if a sample did not end within
// patience cycles of the last transfer, or an array stopped.
int machine_run(Machine *machine, const uint32_t *beats, uint64_t beat_count, uint32_t *results, uint64_t result_count,
                uint64_t seed, uint32_t stall_threshold, uint64_t patience) {
    Vstochastor &top = *machine->top;
    Stalls stalls{seed | 1, stall_threshold};
    uint64_t quiet = 0;
    bool offered = false;
    while (beat_count || result_count || !top.IDLE || top.SAMPLES_valid) {
        if (!offered) {
            offered = beat_count && !stalls.draw();
            if (offered) write_port(top.SAMPLES_payload, beats);
        }
        top.SAMPLES_valid = offered;
        top.RESULTS_ready = !stalls.draw();
        machine->settle();
        bool sent = offered && top.SAMPLES_ready;
        if (top.RESULTS_valid && top.RESULTS_ready) {
            if (!result_count) return 1;
            read_port(top.RESULTS_payload, results, RESULTS_WORDS);
            results += RESULTS_WORDS;
            --result_count;
            quiet = 0;
        }
        machine->observe();
        machine->edge();
        if (sent) {
            beats += SAMPLES_WORDS;
            --beat_count;
            offered = false;
            quiet = 0;
        }
        top.SAMPLES_valid = 0;
        if (++quiet > patience || machine->stopped()) return 1;
    }
    top.RESULTS_ready = 0;
    return 0;
}

// Performs accesses one after the other; value receives the answers of those that read. Returns as machine_run.
int machine_access(Machine *machine, const uint32_t *accesses, uint64_t count, const uint8_t *reads, int32_t *value,
                   uint64_t patience) {
    Vstochastor &top = *machine->top;
    for (uint64_t index = 0; index < count; ++index, accesses += ACCESS_WORDS) {
        write_port(top.ACCESS_payload, accesses);
        top.ACCESS_valid = 1;
        top.VALUES_ready = 1;
        bool taken = false;
        for (uint64_t waited = 0;; ++waited) {
            if (waited > patience || machine->stopped()) return 1;
            machine->settle();
            bool accepted = top.ACCESS_valid && top.ACCESS_ready;
            bool answered = top.VALUES_valid;
            if (answered) {
                uint32_t word;
                read_port(top.VALUES_payload, &word, 1);
                *value++ = int32_t(word);
            }
            machine->edge();
            if (accepted) {
                top.ACCESS_valid = 0;
                taken = true;
            }
            if (taken && (answered || !reads[index])) break;
        }
    }
    top.VALUES_ready = 0;
    return 0;
}
}
