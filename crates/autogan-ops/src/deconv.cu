// Transposed convolution with a 2x2 kernel and stride 2, and its gradients: deconv.rs. The plain path, without cuDNN.
//
// x [n, ci, h, w], weight [ci, co, 2, 2], y [n, co, 2h, 2w]. `blocks` is the row (o, u, v) of a 2x2 block, `pixel` the
// column (image, i, j). Grids are those of tile_product, with 256 threads.
#include "cuda/tile.cuh"

// Where the output of row (o, u, v) and column (image, i, j) lies.
__device__ __forceinline__ int deconv_place(int block, int pixel, int co, int h, int w) {
    const int image = pixel / (h * w), i = pixel / w % h, j = pixel % w;
    return ((image * co + block / 4) * 2 * h + 2 * i + block / 2 % 2) * 2 * w + 2 * j + block % 2;
}

// Rows 4·co, columns n·h·w.
KERNEL(256) deconv_forward(
    const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias,
    float* __restrict__ y, int n, int ci, int co, int h, int w) {
    __shared__ Tiles tiles;
    const int pixels = h * w;
    tile_product<false, false>(
        tiles, 4 * co, n * pixels, 0, ci,
        [=](int block, int c) { return weight[c * 4 * co + block]; },
        [=](int c, int pixel) { return x[(pixel / pixels * ci + c) * pixels + pixel % pixels]; },
        [=](int block, int pixel, float sum) { y[deconv_place(block, pixel, co, h, w)] = sum + bias[block / 4]; });
}

// Rows ci, columns n·h·w.
KERNEL(256) deconv_input_gradient(
    const float* __restrict__ dy, const float* __restrict__ weight, float* __restrict__ dx, int n, int ci, int co,
    int h, int w) {
    __shared__ Tiles tiles;
    const int pixels = h * w;
    tile_product<true, false>(
        tiles, ci, n * pixels, 0, 4 * co,
        [=](int c, int block) { return weight[c * 4 * co + block]; },
        [=](int block, int pixel) { return dy[deconv_place(block, pixel, co, h, w)]; },
        [=](int c, int pixel, float sum) { dx[(pixel / pixels * ci + c) * pixels + pixel % pixels] = sum; });
}

// Rows ci, columns 4·co; blockIdx.z takes its share of the n·h·w pixels and writes partial [z, ci, co, 2, 2], which
// sum_partials adds up.
KERNEL(256) deconv_weight_gradient(
    const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ partial, int n, int ci, int co,
    int h, int w) {
    __shared__ Tiles tiles;
    const int pixels = h * w, all = n * pixels;
    const int share = (all + (int)gridDim.z - 1) / (int)gridDim.z;
    const int first = min((int)blockIdx.z * share, all), last = min(first + share, all);
    float* out = partial + (int)blockIdx.z * ci * 4 * co;
    tile_product<true, true>(
        tiles, ci, 4 * co, first, last,
        [=](int c, int pixel) { return x[(pixel / pixels * ci + c) * pixels + pixel % pixels]; },
        [=](int pixel, int block) { return dy[deconv_place(block, pixel, co, h, w)]; },
        [=](int c, int block, float sum) { out[c * 4 * co + block] = sum; });
}
