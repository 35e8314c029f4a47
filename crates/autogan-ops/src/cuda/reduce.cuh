// Sums over the threads of a block, always in the same order: no atomics.
#pragma once

#include "kernel.cuh"

// Doubles that block_sum needs in shared memory: one for each warp of the largest block.
#define SCRATCH 32

// The sum of `value` over a one-dimensional block of whole warps, in every thread. All threads have to call it.
__device__ __forceinline__ double block_sum(double value, double* scratch) {
    for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(0xffffffffu, value, offset);
    // Whoever still reads an earlier sum from the scratch is waited for.
    __syncthreads();
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = value;
    __syncthreads();
    double sum = 0.0;
    for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) sum += scratch[warp];
    return sum;
}

// The largest `value` of the block, as block_sum.
__device__ __forceinline__ float block_max(float value, double* scratch) {
    for (int offset = 16; offset > 0; offset /= 2) value = fmaxf(value, __shfl_down_sync(0xffffffffu, value, offset));
    __syncthreads();
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = value;
    __syncthreads();
    double most = scratch[0];
    for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) most = fmax(most, scratch[warp]);
    return (float)most;
}
