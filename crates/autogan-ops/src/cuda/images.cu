// Images between bytes and floats, and the resizing that scorers do: what feature extractors and the search need on
// the card besides operators (autogan-metrics' resize and input, autogan-search's images).
#include "kernel.cuh"

// y = x · scale + shift, of bytes.
KERNEL(256) bytes_to_floats(const unsigned char* __restrict__ x, float* __restrict__ y, int count, float scale, float shift) {
    for (int i = grid_start(); i < count; i += grid_step()) y[i] = x[i] * scale + shift;
}

// Images in [-1, 1] to bytes: cut off to 0..255, not rounded.
KERNEL(256) floats_to_bytes(const float* __restrict__ x, unsigned char* __restrict__ y, int count) {
    for (int i = grid_start(); i < count; i += grid_step())
        y[i] = (unsigned char)fminf(fmaxf(x[i] * 127.5f + 127.5f, 0.0f), 255.0f);
}

// The place in a side of `from` pixels that output i of `to` reads, by TensorFlow 1's rule or with half-pixel centres.
__device__ __forceinline__ float resize_place(int i, float scale, int half_pixel) {
    return half_pixel ? fmaxf(((float)i + 0.5f) * scale - 0.5f, 0.0f) : (float)i * scale;
}

// Bytes [planes, h, w] -> floats [planes, ho, wo]: pixel / divide resized bilinearly without antialiasing,
// then · scale_after + shift_after. row_scale is h / ho and column_scale w / wo, rounded once to f32 by the launcher.
// blockIdx.y strides over planes, blockIdx.x over their pixels.
KERNEL(256) resize_bilinear(
    const unsigned char* __restrict__ x, float* __restrict__ y, int planes, int h, int w, int ho, int wo,
    float row_scale, float column_scale, int half_pixel, float divide, float scale_after, float shift_after) {
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        const unsigned char* from = x + plane * h * w;
        for (int p = grid_start(); p < ho * wo; p += grid_step()) {
            const float row = resize_place(p / wo, row_scale, half_pixel);
            const float column = resize_place(p % wo, column_scale, half_pixel);
            const int top = min((int)row, h - 1), left = min((int)column, w - 1);
            const unsigned char* upper = from + top * w;
            const unsigned char* lower = from + min(top + 1, h - 1) * w;
            const int right = min(left + 1, w - 1);
            const float across = column - (float)left, down = row - (float)top;
            const float a = upper[left] / divide, b = upper[right] / divide;
            const float c = lower[left] / divide, d = lower[right] / divide;
            const float ab = a + (b - a) * across, cd = c + (d - c) * across;
            y[plane * ho * wo + p] = (ab + (cd - ab) * down) * scale_after + shift_after;
        }
    }
}

// x [n, c, h, w] with even sides -> y [n, 4·c, h/2, w/2]: channel c·4 + dy·2 + dx holds the pixels (2i + dy, 2j + dx).
KERNEL(256) space_to_depth(const float* __restrict__ x, float* __restrict__ y, int planes, int h, int w) {
    const int wo = w / 2, area = h / 2 * wo;
    for (int i = grid_start(); i < planes * 4 * area; i += grid_step()) {
        const int plane = i / (4 * area), part = i / area % 4, row = i / wo % (h / 2), column = i % wo;
        y[i] = x[(plane * h + 2 * row + part / 2) * w + 2 * column + part % 2];
    }
}
