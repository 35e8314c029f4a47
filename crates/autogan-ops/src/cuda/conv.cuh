// The sizes of a convolution, as problem.rs has them.
#pragma once

#include "bf16.cuh"
#include "kernel.cuh"

// x [n, ci, h, w], weight [co, ci, kh, kw], y [n, co, ho, wo].
struct ConvSizes {
    int n, ci, h, w, co, kh, kw, ho, wo, stride, pad_h, pad_w;

    __device__ __forceinline__ int taps() const { return ci * kh * kw; }
    __device__ __forceinline__ int pixels() const { return ho * wo; }

    // The pixel of x under tap (c, u, v) of output (image, i, j), and 0 outside of the image.
    template <class T>
    __device__ __forceinline__ float input(const T* x, int tap, int output) const {
        const int c = tap / (kh * kw), u = tap / kw % kh, v = tap % kw;
        const int image = output / (ho * wo), i = output / wo % ho, j = output % wo;
        const int row = i * stride + u - pad_h, column = j * stride + v - pad_w;
        const bool inside = row >= 0 && row < h && column >= 0 && column < w;
        return inside ? value_of(x[((image * ci + c) * h + row) * w + column]) : 0.0f;
    }

    // The output row or column that reads input `at` by tap `k`, or −1.
    __device__ __forceinline__ int reader(int at, int k, int pad, int outputs) const {
        const int place = at + pad - k;
        return place >= 0 && place % stride == 0 && place / stride < outputs ? place / stride : -1;
    }
};
