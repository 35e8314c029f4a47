// Images to column matrices and back: columns.rs. What a convolution by cuBLAS needs where there is no cuDNN.
//
// columns [n, ci·kh·kw, ho·wo]. One-dimensional grids.
#include "../cuda/conv.cuh"

KERNEL(256) im2col(const float* __restrict__ x, float* __restrict__ columns, ConvSizes s) {
    const int pixels = s.pixels(), taps = s.taps();
    for (int i = grid_start(); i < s.n * taps * pixels; i += grid_step()) {
        const int image = i / (taps * pixels), tap = i / pixels % taps;
        columns[i] = s.input(x, tap, image * pixels + i % pixels);
    }
}

// dx = the sum of all columns that were read from a pixel, in the order of the taps.
KERNEL(256) col2im(const float* __restrict__ columns, float* __restrict__ dx, ConvSizes s) {
    const int pixels = s.pixels();
    for (int p = grid_start(); p < s.n * s.ci * s.h * s.w; p += grid_step()) {
        const int plane = p / (s.h * s.w), row = p / s.w % s.h, column = p % s.w;
        float sum = 0.0f;
        for (int u = 0; u < s.kh; ++u) {
            const int i = s.reader(row, u, s.pad_h, s.ho);
            for (int v = 0; v < s.kw; ++v) {
                const int j = s.reader(column, v, s.pad_w, s.wo);
                if (i >= 0 && j >= 0) sum += columns[((plane * s.kh + u) * s.kw + v) * pixels + i * s.wo + j];
            }
        }
        dx[p] = sum;
    }
}
