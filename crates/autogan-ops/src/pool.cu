// 2x2 averages, and sums or means over all pixels: pool.rs.
#include "cuda/reduce.cuh"

// x [planes, h, w] -> y [planes, ⌊h/2⌋, ⌊w/2⌋]; blockIdx.y strides over planes, blockIdx.x over pixels of y.
KERNEL(256) avg_pool2_forward(const float* __restrict__ x, float* __restrict__ y, int planes, int h, int w) {
    const int wo = w / 2, pixels = h / 2 * wo;
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        for (int p = grid_start(); p < pixels; p += grid_step()) {
            const float* from = x + (plane * h + p / wo * 2) * w + p % wo * 2;
            y[plane * pixels + p] = (from[0] + from[1] + from[w] + from[w + 1]) * 0.25f;
        }
    }
}

// blockIdx.x strides over the pixels of dx; an odd last row or column gets zeros.
KERNEL(256) avg_pool2_backward(const float* __restrict__ dy, float* __restrict__ dx, int planes, int h, int w) {
    const int ho = h / 2, wo = w / 2;
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        for (int p = grid_start(); p < h * w; p += grid_step()) {
            const int i = p / w / 2, j = p % w / 2;
            dx[plane * h * w + p] = i < ho && j < wo ? dy[(plane * ho + i) * wo + j] * 0.25f : 0.0f;
        }
    }
}

// y[plane] = scale · Σ x[plane, ·]: one block for each plane, striding.
KERNEL(256) global_pool_forward(const float* __restrict__ x, float* __restrict__ y, int planes, int pixels, float scale) {
    __shared__ double scratch[SCRATCH];
    for (int plane = (int)blockIdx.x; plane < planes; plane += (int)gridDim.x) {
        double sum = 0.0;
        for (int p = (int)threadIdx.x; p < pixels; p += (int)blockDim.x) sum += x[plane * pixels + p];
        sum = block_sum(sum, scratch);
        if (threadIdx.x == 0) y[plane] = (float)(sum * scale);
    }
}

// dx[plane, ·] = scale · dy[plane].
KERNEL(256) global_pool_backward(
    const float* __restrict__ dy, float* __restrict__ dx, int planes, int pixels, float scale) {
    for (int i = grid_start(); i < planes * pixels; i += grid_step()) dx[i] = dy[i / pixels] * scale;
}
