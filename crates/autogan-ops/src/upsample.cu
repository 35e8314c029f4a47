// Nearest and bilinear upsampling by an integer factor, and their gradients: upsample.rs.
//
// Small images are [planes, h, w], large ones [planes, h·factor, w·factor]. blockIdx.y strides over planes, blockIdx.x
// over the pixels of what is written. Gradients are gathered, so that each sum has one order.
#include "cuda/kernel.cuh"

// The input that an output reads, and the weight of the next one; half-pixel centres, exact in integers up to the
// last division.
struct UpTap {
    int low;
    float weight;
};

__device__ __forceinline__ UpTap up_tap(int i, int factor, int side) {
    const int twice = 2 * i + 1 - factor, at = twice > 0 ? twice : 0;
    const int low = min(at / (2 * factor), side - 1);
    return {low, (float)(at - low * 2 * factor) / (float)(2 * factor)};
}

KERNEL(256) upsample_nearest_forward(
    const float* __restrict__ x, float* __restrict__ y, int planes, int h, int w, int factor) {
    const int wide = w * factor, large = h * factor * wide;
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        const float* from = x + plane * h * w;
        for (int p = grid_start(); p < large; p += grid_step())
            y[plane * large + p] = from[p / wide / factor * w + p % wide / factor];
    }
}

KERNEL(256) upsample_nearest_backward(
    const float* __restrict__ dy, float* __restrict__ dx, int planes, int h, int w, int factor) {
    const int wide = w * factor, large = h * factor * wide;
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        for (int p = grid_start(); p < h * w; p += grid_step()) {
            const float* from = dy + plane * large + p / w * factor * wide + p % w * factor;
            float sum = 0.0f;
            for (int u = 0; u < factor; ++u)
                for (int v = 0; v < factor; ++v) sum += from[u * wide + v];
            dx[plane * h * w + p] = sum;
        }
    }
}

KERNEL(256) upsample_bilinear_forward(
    const float* __restrict__ x, float* __restrict__ y, int planes, int h, int w, int factor) {
    const int wide = w * factor, large = h * factor * wide;
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        const float* from = x + plane * h * w;
        for (int p = grid_start(); p < large; p += grid_step()) {
            const UpTap row = up_tap(p / wide, factor, h), column = up_tap(p % wide, factor, w);
            const float* upper = from + row.low * w;
            const float* lower = from + min(row.low + 1, h - 1) * w;
            const int left = column.low, right = min(column.low + 1, w - 1);
            const float a = upper[left] + row.weight * (lower[left] - upper[left]);
            const float b = upper[right] + row.weight * (lower[right] - upper[right]);
            y[plane * large + p] = a + column.weight * (b - a);
        }
    }
}

// How much of output i comes from input `at`; at the last input both taps are one.
__device__ __forceinline__ float up_share(int i, int at, int factor, int side) {
    const UpTap tap = up_tap(i, factor, side);
    const float low = tap.low == at ? 1.0f - tap.weight : 0.0f;
    return low + (min(tap.low + 1, side - 1) == at ? tap.weight : 0.0f);
}

// Outputs that may read input `at`: first and one past the last.
__device__ __forceinline__ int up_first(int at, int factor) { return max((2 * at - 1) * factor / 2 - 1, 0); }
__device__ __forceinline__ int up_end(int at, int factor, int side) {
    return min(((2 * at + 3) * factor + 1) / 2 + 1, side * factor);
}

KERNEL(256) upsample_bilinear_backward(
    const float* __restrict__ dy, float* __restrict__ dx, int planes, int h, int w, int factor) {
    const int wide = w * factor, large = h * factor * wide;
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        for (int p = grid_start(); p < h * w; p += grid_step()) {
            const int row = p / w, column = p % w;
            const int left = up_first(column, factor), right = up_end(column, factor, w);
            float sum = 0.0f;
            for (int i = up_first(row, factor); i < up_end(row, factor, h); ++i) {
                const float* line = dy + plane * large + i * wide;
                float across = 0.0f;
                for (int j = left; j < right; ++j) across += line[j] * up_share(j, column, factor, w);
                sum += across * up_share(i, row, factor, h);
            }
            dx[plane * h * w + p] = sum;
        }
    }
}
