// Bilinear resizing of images as scorers do it: resize.rs. It rounds as the CPU does, so that bits are the same.
#include "cuda/kernel.cuh"

// The place in a side that output i reads, `scale` pixels from the one before it, by TensorFlow 1's rule or with
// half-pixel centres.
__device__ __forceinline__ float resize_place(int i, float scale, int half_pixel) {
    return half_pixel ? fmaxf(times_plus((float)i + 0.5f, scale, -0.5f), 0.0f) : times_plus((float)i, scale, 0.0f);
}

// a + (b - a) · weight.
__device__ __forceinline__ float mixed(float a, float b, float weight) { return times_plus(b - a, weight, a); }

// Bytes [planes, h, w] -> floats [planes, ho, wo]: (byte - center) / divide resized bilinearly without antialiasing,
// then · scale + shift. row_step is h / ho and column_step w / wo, rounded once to f32 by the launcher.
// blockIdx.y strides over planes, blockIdx.x over their pixels.
KERNEL(256) resize_bilinear(
    const unsigned char* __restrict__ x, float* __restrict__ y, int planes, int h, int w, int ho, int wo, float row_step,
    float column_step, int half_pixel, float center, float divide, float scale, float shift) {
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        const unsigned char* from = x + plane * h * w;
        for (int p = grid_start(); p < ho * wo; p += grid_step()) {
            const float row = resize_place(p / wo, row_step, half_pixel);
            const float column = resize_place(p % wo, column_step, half_pixel);
            const int top = min((int)row, h - 1), left = min((int)column, w - 1);
            const int bottom = min(top + 1, h - 1), right = min(left + 1, w - 1);
            const float across = column - (float)left, down = row - (float)top;
            const float a = ((float)from[top * w + left] - center) / divide;
            const float b = ((float)from[top * w + right] - center) / divide;
            const float c = ((float)from[bottom * w + left] - center) / divide;
            const float d = ((float)from[bottom * w + right] - center) / divide;
            const float value = mixed(mixed(a, b, across), mixed(c, d, across), down);
            y[plane * ho * wo + p] = times_plus(value, scale, shift);
        }
    }
}
