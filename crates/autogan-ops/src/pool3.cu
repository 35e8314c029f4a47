// 3x3 maxima, and averages that do not count padding: pool3.rs.
#include "cuda/kernel.cuh"

// x [planes, h, w] -> y [planes, ho, wo]; padding never wins, NaN does. blockIdx.y strides over planes, blockIdx.x over
// pixels of y.
KERNEL(256) max_pool3(
    const float* __restrict__ x, float* __restrict__ y, int planes, int h, int w, int ho, int wo, int stride, int pad) {
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        for (int p = grid_start(); p < ho * wo; p += grid_step()) {
            const int top = p / wo * stride - pad, left = p % wo * stride - pad;
            const int bottom = min(top + 3, h), right = min(left + 3, w);
            float most = x[(plane * h + max(top, 0)) * w + max(left, 0)];
            for (int i = max(top, 0); i < bottom; ++i) {
                for (int j = max(left, 0); j < right; ++j) {
                    const float value = x[(plane * h + i) * w + j];
                    if (value > most || value != value) most = value;
                }
            }
            y[plane * ho * wo + p] = most;
        }
    }
}

// x and y [planes, h, w]; blockIdx.y strides over planes, blockIdx.x over pixels.
KERNEL(256) avg_pool3(const float* __restrict__ x, float* __restrict__ y, int planes, int h, int w) {
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        for (int p = grid_start(); p < h * w; p += grid_step()) {
            const int top = max(p / w - 1, 0), left = max(p % w - 1, 0);
            const int bottom = min(p / w + 2, h), right = min(p % w + 2, w);
            float sum = 0.0f;
            for (int i = top; i < bottom; ++i) {
                for (int j = left; j < right; ++j) sum += x[(plane * h + i) * w + j];
            }
            y[plane * h * w + p] = sum / (float)((bottom - top) * (right - left));
        }
    }
}
