// Kernels with faults, to see that the emulation shows them: shim.rs.
#include "kernel.cuh"

// y = x backwards, through shared memory; right only with the barrier.
KERNEL(64) reversed(const float* x, float* y, int with_barrier) {
    __shared__ float all[64];
    all[threadIdx.x] = x[threadIdx.x];
    if (with_barrier) __syncthreads();
    y[threadIdx.x] = all[63 - threadIdx.x];
}

// Only the first `count` threads come to the barrier.
KERNEL(64) some_wait(float* y, int count) {
    if ((int)threadIdx.x < count) __syncthreads();
    y[threadIdx.x] = 1.0f;
}
