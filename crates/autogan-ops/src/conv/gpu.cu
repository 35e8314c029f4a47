// Convolution and its gradients as matrix products over an image that is read in place: kernels.rs. The plain path,
// without cuDNN; slower than it, and the same from run to run. A kernel whose name ends with _bf16 takes bf16 values and
// gives such, but for the shares of a sum; it multiplies and adds as float.
//
// Grids are those of tile_product, with 256 threads.
#include "../cuda/bf16.cuh"
#include "../cuda/conv.cuh"
#include "../cuda/reduce.cuh"
#include "../cuda/tile.cuh"

// y = conv(x, weight), handed to finish(o, sum). Rows co, columns n·ho·wo.
template <class In, class Out, class Finish>
__device__ __forceinline__ void forward_product(
    Tiles& tiles, const In* x, const In* weight, Out* y, const ConvSizes& s, Finish finish) {
    const int taps = s.taps(), pixels = s.pixels();
    tile_product<true, false>(
        tiles, s.co, s.n * pixels, 0, taps,
        [=](int o, int tap) { return value_of(weight[o * taps + tap]); },
        [=](int tap, int output) { return s.input(x, tap, output); },
        [=](int o, int output, float sum) {
            store_value(&y[(output / pixels * s.co + o) * pixels + output % pixels], finish(o, sum));
        });
}

// y = conv(x, weight) + bias, then ReLU if asked for; bias may be null. Rows co, columns n·ho·wo.
KERNEL(256) conv_forward(
    const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias,
    float* __restrict__ y, ConvSizes s, int relu) {
    __shared__ Tiles tiles;
    forward_product(tiles, x, weight, y, s, [=](int o, float sum) {
        const float v = sum + (bias ? bias[o] : 0.0f);
        // Written so that NaN passes.
        return relu && v < 0.0f ? 0.0f : v;
    });
}

// The same of bf16 values, summed in float, without bias and ReLU: conv_finish_bf16 follows.
KERNEL(256) conv_forward_bf16(
    const unsigned short* __restrict__ x, const unsigned short* __restrict__ weight, unsigned short* __restrict__ y,
    ConvSizes s) {
    __shared__ Tiles tiles;
    forward_product(tiles, x, weight, y, s, [](int, float sum) { return sum; });
}

// y [planes, pixels] += bias [c] of its channel, unless that is null, then ReLU if asked for, in place: what cuDNN's
// convolution leaves to do. blockIdx.y strides over planes, blockIdx.x over their pixels.
KERNEL(256) conv_finish(float* __restrict__ y, const float* __restrict__ bias, int planes, int c, int pixels, int relu) {
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        const float shift = bias ? bias[plane % c] : 0.0f;
        for (int i = grid_start(); i < pixels; i += grid_step()) {
            const float v = y[plane * pixels + i] + shift;
            // Written so that NaN passes.
            y[plane * pixels + i] = relu && v < 0.0f ? 0.0f : v;
        }
    }
}

// y [planes, pixels] = sums + bias [c] of its channel, unless that is null, then ReLU if asked for: what bf16 leaves to do.
// Grid as for conv_finish.
KERNEL(256) conv_finish_bf16(
    const unsigned short* __restrict__ sums, const float* __restrict__ bias, float* __restrict__ y, int planes, int c,
    int pixels, int relu) {
    for (int plane = (int)blockIdx.y; plane < planes; plane += (int)gridDim.y) {
        const float shift = bias ? bias[plane % c] : 0.0f;
        for (int i = grid_start(); i < pixels; i += grid_step()) {
            const float v = value_of(sums[plane * pixels + i]) + shift;
            // Written so that NaN passes.
            y[plane * pixels + i] = relu && v < 0.0f ? 0.0f : v;
        }
    }
}

// dx of dy. Rows ci, columns n·h·w.
template <class T>
__device__ __forceinline__ void input_product(Tiles& tiles, const T* dy, const T* weight, T* dx, const ConvSizes& s) {
    const int kernel = s.kh * s.kw, area = s.h * s.w;
    tile_product<false, false>(
        tiles, s.ci, s.n * area, 0, s.co * kernel,
        [=](int c, int tap) { return value_of(weight[(tap / kernel * s.ci + c) * kernel + tap % kernel]); },
        [=](int tap, int pixel) {
            const int o = tap / kernel, image = pixel / area;
            const int i = s.reader(pixel / s.w % s.h, tap / s.kw % s.kh, s.pad_h, s.ho);
            const int j = s.reader(pixel % s.w, tap % s.kw, s.pad_w, s.wo);
            return i >= 0 && j >= 0 ? value_of(dy[((image * s.co + o) * s.ho + i) * s.wo + j]) : 0.0f;
        },
        [=](int c, int pixel, float sum) { store_value(&dx[(pixel / area * s.ci + c) * area + pixel % area], sum); });
}

KERNEL(256) conv_input_gradient(
    const float* __restrict__ dy, const float* __restrict__ weight, float* __restrict__ dx, ConvSizes s) {
    __shared__ Tiles tiles;
    input_product(tiles, dy, weight, dx, s);
}

// Of bf16 values, summed in float.
KERNEL(256) conv_input_gradient_bf16(
    const unsigned short* __restrict__ dy, const unsigned short* __restrict__ weight, unsigned short* __restrict__ dx,
    ConvSizes s) {
    __shared__ Tiles tiles;
    input_product(tiles, dy, weight, dx, s);
}

// Rows co, columns ci·kh·kw; blockIdx.z takes its share of the n·ho·wo outputs and writes partial
// [z, co, ci, kh, kw], which sum_partials adds up.
template <class T>
__device__ __forceinline__ void weight_product(Tiles& tiles, const T* x, const T* dy, float* partial, const ConvSizes& s) {
    const int taps = s.taps(), pixels = s.pixels(), all = s.n * pixels;
    const int share = (all + (int)gridDim.z - 1) / (int)gridDim.z;
    const int first = min((int)blockIdx.z * share, all), last = min(first + share, all);
    float* out = partial + (int)blockIdx.z * s.co * taps;
    tile_product<true, true>(
        tiles, s.co, taps, first, last,
        [=](int o, int output) { return value_of(dy[(output / pixels * s.co + o) * pixels + output % pixels]); },
        [=](int output, int tap) { return s.input(x, tap, output); },
        [=](int o, int tap, float sum) { out[o * taps + tap] = sum; });
}

KERNEL(256) conv_weight_gradient(
    const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ partial, ConvSizes s) {
    __shared__ Tiles tiles;
    weight_product(tiles, x, dy, partial, s);
}

// Of bf16 values, summed in float; sum_partials_bf16 follows.
KERNEL(256) conv_weight_gradient_bf16(
    const unsigned short* __restrict__ x, const unsigned short* __restrict__ dy, float* __restrict__ partial,
    ConvSizes s) {
    __shared__ Tiles tiles;
    weight_product(tiles, x, dy, partial, s);
}

// out[i] = Σ partial[z, i] over z in 0..parts. One-dimensional grid.
template <class Out>
__device__ __forceinline__ void add_partials(const float* partial, Out* out, int parts, int count) {
    for (int i = grid_start(); i < count; i += grid_step()) {
        double sum = 0.0;
        for (int z = 0; z < parts; ++z) sum += partial[z * count + i];
        store_value(&out[i], (float)sum);
    }
}

KERNEL(256) sum_partials(const float* __restrict__ partial, float* __restrict__ out, int parts, int count) {
    add_partials(partial, out, parts, count);
}

// To bf16.
KERNEL(256) sum_partials_bf16(
    const float* __restrict__ partial, unsigned short* __restrict__ out, int parts, int count) {
    add_partials(partial, out, parts, count);
}

// db [c] = Σ over images and pixels of dy [n, c, pixels]: one block for each channel, striding.
KERNEL(256) channel_sums(const float* __restrict__ dy, float* __restrict__ db, int n, int c, int pixels) {
    __shared__ double scratch[SCRATCH];
    for (int channel = (int)blockIdx.x; channel < c; channel += (int)gridDim.x) {
        double sum = 0.0;
        for (int i = (int)threadIdx.x; i < n * pixels; i += (int)blockDim.x)
            sum += dy[(i / pixels * c + channel) * pixels + i % pixels];
        sum = block_sum(sum, scratch);
        if (threadIdx.x == 0) db[channel] = (float)sum;
    }
}
