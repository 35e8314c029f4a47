// CUDA's language for a C++ compiler, so that kernels run where there is no GPU: grids and blocks as loops, the
// threads of a block as fibres that run one after the other in a random order up to each barrier. A barrier that is
// missing therefore shows: somebody reads what nobody has written yet. Shared memory is filled with NaN before
// each block. One launch runs at a time.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>

#define __device__
#define __forceinline__ inline
// In a section of its own, which is found and overwritten before each block.
#define __shared__ static __attribute__((section("emulated_shared")))

#define threadIdx emulated::thread
#define blockIdx emulated::block
#define blockDim emulated::block_size
#define gridDim emulated::grid_size
#define __syncthreads() emulated::barrier(emulated::BLOCK)
#define __shfl_down_sync(mask, value, distance) emulated::shuffle_down(mask, value, distance)

namespace emulated {

struct Dim {
    unsigned x, y, z;
};

extern Dim thread, block, block_size, grid_size;

enum Scope { BLOCK, WARP };

// Waits until all threads of the scope are here.
void barrier(Scope scope);
// Gives up the launch; the message is the launch's result.
[[noreturn]] void fail(const char* message);
// Eight bytes of each thread, for shuffles.
extern double slots[1024];

template <class T>
T shuffle_down(unsigned mask, T value, unsigned distance) {
    static_assert(sizeof(T) <= sizeof(double), "a shuffle moves eight bytes at most");
    if (mask != 0xffffffffu || block_size.x % 32 != 0) fail("a shuffle among less than a whole warp");
    std::memcpy(&slots[thread.x], &value, sizeof(T));
    barrier(WARP);
    if (thread.x % 32 + distance < 32) std::memcpy(&value, &slots[thread.x + distance], sizeof(T));
    barrier(WARP);
    return value;
}

// A kernel as a launch knows it.
struct Kernel {
    const char* name;
    // The block's most threads.
    unsigned bound;
    // A letter for each argument, see Code.
    const char* signature;
    void (*function)();
    void (*call)(void (*)(), void**);
};

// The letter of an argument's type: lower case for what is only read.
template <class T>
struct Code;

}  // namespace emulated

// CUDA's vector of four floats, with its alignment.
struct alignas(16) float4 {
    float x, y, z, w;
};

// Four shorts, as a vector.
struct alignas(8) ushort4 {
    unsigned short x, y, z, w;
};

inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
// Rounded on their own; the compiler is told to fuse nothing.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline ushort4 make_ushort4(unsigned short x, unsigned short y, unsigned short z, unsigned short w) {
    return {x, y, z, w};
}
inline unsigned __float_as_uint(float v) {
    unsigned bits;
    std::memcpy(&bits, &v, sizeof bits);
    return bits;
}
inline float __uint_as_float(unsigned bits) {
    float v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
}
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
using std::exp;
using std::fmax;
using std::log;
using std::sqrt;
