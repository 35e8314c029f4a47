// bf16 values, the upper halves of floats: reading and writing them, and floats in the same words.
#pragma once

#include "kernel.cuh"

// The nearest bf16 value, the even one of two; what is no number stays none.
__device__ __forceinline__ unsigned short nearest_bf16(float v) {
    const unsigned bits = __float_as_uint(v);
    if (v != v) return (unsigned short)(bits >> 16 | 0x40u);
    return (unsigned short)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

__device__ __forceinline__ float value_of(float v) { return v; }
__device__ __forceinline__ float value_of(unsigned short bf16) { return __uint_as_float((unsigned)bf16 << 16); }

__device__ __forceinline__ void store_value(float* to, float v) { *to = v; }
__device__ __forceinline__ void store_value(unsigned short* to, float v) { *to = nearest_bf16(v); }

// True where four bf16 values can be read or written at once.
__device__ __forceinline__ bool by_four(const unsigned short* p) { return (unsigned long long)p % 8 == 0; }
