// Squares of pixels as channels: depth.rs.
#include "cuda/kernel.cuh"

// x [n, c, h, w] with even sides -> y [n, 4·c, h/2, w/2]: channel c·4 + dy·2 + dx holds the pixels (2i + dy, 2j + dx).
KERNEL(256) space_to_depth(const float* __restrict__ x, float* __restrict__ y, int planes, int h, int w) {
    const int wo = w / 2, area = h / 2 * wo;
    for (int i = grid_start(); i < planes * 4 * area; i += grid_step()) {
        const int plane = i / (4 * area), part = i / area % 4, row = i / wo % (h / 2), column = i % wo;
        y[i] = x[(plane * h + 2 * row + part / 2) * w + 2 * column + part % 2];
    }
}
