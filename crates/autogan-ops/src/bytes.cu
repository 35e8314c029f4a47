// Images between bytes and numbers: bytes.rs. Both round as the CPU does, so that bits are the same.
#include "cuda/kernel.cuh"

// y = (x - center) / divide, of bytes.
KERNEL(256) bytes_to_floats(const unsigned char* __restrict__ x, float* __restrict__ y, int count, float center, float divide) {
    for (int i = grid_start(); i < count; i += grid_step()) y[i] = ((float)x[i] - center) / divide;
}

// Images in [-1, 1] to bytes: cut off to 0..255, not rounded; NaN becomes 0.
KERNEL(256) floats_to_bytes(const float* __restrict__ x, unsigned char* __restrict__ y, int count) {
    for (int i = grid_start(); i < count; i += grid_step())
        y[i] = (unsigned char)fminf(fmaxf(times_plus(x[i], 127.5f, 127.5f), 0.0f), 255.0f);
}
