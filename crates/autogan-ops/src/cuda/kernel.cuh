// What every kernel file includes first: CUDA's own language under nvcc, the emulation of it under a C++ compiler.
//
// KERNEL(T) begins a kernel: a function with C linkage that blocks of at most T threads run. docs/cuda.md states what
// its arguments may be.
#pragma once

#ifdef __CUDACC__
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#else
#include "shim.h"
#define KERNEL(threads) extern "C" void
#endif

// This thread's place among all of a one-dimensional grid, and their number.
__device__ __forceinline__ int grid_start() { return (int)(blockIdx.x * blockDim.x + threadIdx.x); }
__device__ __forceinline__ int grid_step() { return (int)(gridDim.x * blockDim.x); }

// a · b + c, rounded twice as the CPU does it: nvcc makes one rounding of the plain expression.
__device__ __forceinline__ float times_plus(float a, float b, float c) { return __fadd_rn(__fmul_rn(a, b), c); }

// True where four floats can be read or written at once.
__device__ __forceinline__ bool by_four(const void* p) { return (unsigned long long)p % 16 == 0; }

__device__ __forceinline__ float4 load_four(const float* p, int quad) {
    return reinterpret_cast<const float4*>(p)[quad];
}

__device__ __forceinline__ void store_four(float* p, int quad, float4 v) { reinterpret_cast<float4*>(p)[quad] = v; }

// y[i] = f(x[i]). x and y may be the same.
template <class F>
__device__ __forceinline__ void map_elements(const float* x, float* y, int count, F f) {
    int done = 0;
    if (by_four(x) && by_four(y)) {
        done = count / 4 * 4;
        for (int i = grid_start(); i < count / 4; i += grid_step()) {
            float4 v = load_four(x, i);
            store_four(y, i, make_float4(f(v.x), f(v.y), f(v.z), f(v.w)));
        }
    }
    for (int i = done + grid_start(); i < count; i += grid_step()) y[i] = f(x[i]);
}

// y[i] = f(a[i], b[i]). y may be a or b.
template <class F>
__device__ __forceinline__ void zip_elements(const float* a, const float* b, float* y, int count, F f) {
    int done = 0;
    if (by_four(a) && by_four(b) && by_four(y)) {
        done = count / 4 * 4;
        for (int i = grid_start(); i < count / 4; i += grid_step()) {
            float4 u = load_four(a, i), v = load_four(b, i);
            store_four(y, i, make_float4(f(u.x, v.x), f(u.y, v.y), f(u.z, v.z), f(u.w, v.w)));
        }
    }
    for (int i = done + grid_start(); i < count; i += grid_step()) y[i] = f(a[i], b[i]);
}
