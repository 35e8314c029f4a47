// The emulation's scheduler: see shim.h.
#include "shim.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <random>
#include <vector>

#include "table.h"

// The linker's names of the ends of shared memory; weak, should no kernel have any.
extern "C" {
extern char __start_emulated_shared[] __attribute__((weak));
extern char __stop_emulated_shared[] __attribute__((weak));
}

namespace emulated {

Dim thread, block, block_size, grid_size;
double slots[1024];

namespace {

constexpr size_t STACK = 64 << 10;
constexpr unsigned MOST_THREADS = 1024;
constexpr unsigned WARP_SIZE = 32;

enum State { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, DONE };

struct Fibre {
    ucontext_t context;
    jmp_buf place;
    bool entered;
    Dim index;
    State state;
};

std::mutex one_launch;
std::vector<Fibre> fibres(MOST_THREADS);
char* stacks = nullptr;
#ifdef __SANITIZE_ADDRESS__
ucontext_t scheduler;
#else
jmp_buf scheduler_place;
#endif
Fibre* current;
const char* failure;
const Kernel* running;
void** arguments;

// Back to the scheduler, until it resumes this fibre. A jump takes no system call, as swapcontext does;
// AddressSanitizer follows the latter only.
void leave() {
#ifdef __SANITIZE_ADDRESS__
    swapcontext(&current->context, &scheduler);
#else
    if (_setjmp(current->place) == 0) _longjmp(scheduler_place, 1);
#endif
}

void resume(Fibre& f) {
    current = &f;
    thread = f.index;
#ifdef __SANITIZE_ADDRESS__
    swapcontext(&scheduler, &f.context);
#else
    if (_setjmp(scheduler_place) != 0) return;
    if (f.entered) _longjmp(f.place, 1);
    f.entered = true;
    setcontext(&f.context);
#endif
}

void enter() {
    running->call(running->function, arguments);
    current->state = DONE;
    leave();
}

void start(unsigned i) {
    Fibre& f = fibres[i];
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = stacks + i * STACK;
    f.context.uc_stack.ss_size = STACK;
    f.context.uc_link = nullptr;
    makecontext(&f.context, enter, 0);
    f.index = {i % block_size.x, i / block_size.x % block_size.y, i / block_size.x / block_size.y};
    f.state = READY;
    f.entered = false;
}

// Lets a warp go on whose threads all wait at its barrier. True if they did.
bool release_warp(unsigned first, unsigned end) {
    for (unsigned i = first; i < end; ++i)
        if (fibres[i].state != AT_WARP_BARRIER) return false;
    for (unsigned i = first; i < end; ++i) fibres[i].state = READY;
    return true;
}

// Runs the threads from `first` on that can run, each to its next barrier, in a random order.
void run_threads(unsigned first, unsigned end, std::mt19937& random) {
    unsigned order[MOST_THREADS];
    std::iota(order, order + (end - first), first);
    std::shuffle(order, order + (end - first), random);
    for (unsigned i = 0; i < end - first && !failure; ++i)
        if (fibres[order[i]].state == READY) resume(fibres[order[i]]);
}

// Runs every thread to a barrier of the block or to its end. Either all of them keep step, from one barrier of their warps
// to the next, or one warp after the other runs as far as it can: what a warp writes early, or reads late, shows.
void run_to_barrier(unsigned threads, bool in_step, std::mt19937& random) {
    std::vector<unsigned> warps((threads + WARP_SIZE - 1) / WARP_SIZE);
    std::iota(warps.begin(), warps.end(), 0u);
    auto end_of = [=](unsigned warp) { return std::min((warp + 1) * WARP_SIZE, threads); };
    if (in_step) {
        bool any = true;
        while (any && !failure) {
            run_threads(0, threads, random);
            any = false;
            for (unsigned warp : warps) any |= release_warp(warp * WARP_SIZE, end_of(warp));
        }
        return;
    }
    std::shuffle(warps.begin(), warps.end(), random);
    for (unsigned warp : warps) {
        do run_threads(warp * WARP_SIZE, end_of(warp), random);
        while (!failure && release_warp(warp * WARP_SIZE, end_of(warp)));
    }
}

void run_block(std::mt19937& random) {
    const unsigned threads = block_size.x * block_size.y * block_size.z;
    // All bits set: NaN as float and as double.
    if (__start_emulated_shared)
        std::memset(__start_emulated_shared, 0xff, (size_t)(__stop_emulated_shared - __start_emulated_shared));
    for (unsigned i = 0; i < threads; ++i) start(i);
    const bool in_step = random() % 2 == 0;
    for (;;) {
        run_to_barrier(threads, in_step, random);
        if (failure) return;
        auto count = [&](State state) {
            return std::count_if(fibres.begin(), fibres.begin() + threads, [=](const Fibre& f) { return f.state == state; });
        };
        if (count(DONE) == threads) return;
        if (count(AT_BLOCK_BARRIER) != threads) {
            failure = "some threads wait at a barrier that others never reach";
            return;
        }
        for (unsigned i = 0; i < threads; ++i) fibres[i].state = READY;
    }
}

const Kernel* find(const char* name) {
    for (const Kernel* const* table = tables; *table; ++table)
        for (const Kernel* kernel = *table; kernel->name; ++kernel)
            if (std::strcmp(kernel->name, name) == 0) return kernel;
    return nullptr;
}

}  // namespace

void barrier(Scope scope) {
    current->state = scope == BLOCK ? AT_BLOCK_BARRIER : AT_WARP_BARRIER;
    leave();
}

void fail(const char* message) {
    failure = message;
    leave();
    __builtin_trap();
}

}  // namespace emulated

// The letters of a kernel's arguments, or null for an unknown name.
extern "C" const char* emulated_signature(const char* name) {
    const emulated::Kernel* kernel = emulated::find(name);
    return kernel ? kernel->signature : nullptr;
}

// The name of the kernel at `index` in all tables, or null past the end.
extern "C" const char* emulated_name(unsigned index) {
    for (const emulated::Kernel* const* table = emulated::tables; *table; ++table)
        for (const emulated::Kernel* kernel = *table; kernel->name; ++kernel)
            if (index-- == 0) return kernel->name;
    return nullptr;
}

// Runs a kernel: a grid and a block of three sizes each, a pointer to each argument, the seed of the order in which
// threads and blocks run. Null, or what went wrong.
extern "C" const char* emulated_launch(
    const char* name, const unsigned* grid, const unsigned* block, void** arguments, unsigned seed) {
    using namespace emulated;
    const std::lock_guard<std::mutex> lock(one_launch);
    running = find(name);
    if (!running) return "no kernel of that name";
    block_size = {block[0], block[1], block[2]};
    grid_size = {grid[0], grid[1], grid[2]};
    const unsigned threads = block[0] * block[1] * block[2];
    if (threads == 0 || threads > running->bound) return "a block of more threads than the kernel's bound";
    if (!stacks) {
        void* memory = mmap(nullptr, STACK * MOST_THREADS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return "no memory for the stacks";
        stacks = static_cast<char*>(memory);
    }
    emulated::arguments = arguments;
    failure = nullptr;
    std::mt19937 random(seed);
    std::vector<unsigned> blocks(grid[0] * grid[1] * grid[2]);
    std::iota(blocks.begin(), blocks.end(), 0u);
    std::shuffle(blocks.begin(), blocks.end(), random);
    for (unsigned i : blocks) {
        emulated::block = {i % grid[0], i / grid[0] % grid[1], i / grid[0] / grid[1]};
        run_block(random);
        if (failure) return failure;
    }
    return nullptr;
}
