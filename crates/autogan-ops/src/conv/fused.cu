// Nearest upsampling by two and a 3x3 convolution as one 2x2 convolution of the small image: fused.rs.
//
// An output pixel of phase (a, b), its row and column modulo 2, reads 2x2 pixels of the small image, by a 2x2 kernel
// whose taps are sums of the 3x3 kernel's. So phase weights [4·co, ci, 2, 2], in the order (a, b, o), are made, the
// small image [n, ci, h, w] is convolved with them with one zero around it, which gives phases [n, 4·co, h+1, w+1],
// and y [n, co, 2h, 2w] is put together from those: 16 products for each small pixel where the two steps take 36.
#include "../cuda/kernel.cuh"

// The tap of phase `phase` that takes up tap `k` of the 3x3 kernel, in one direction.
__device__ __forceinline__ int phase_tap(int phase, int k) { return phase == 0 ? (k > 0) : (k > 1); }

KERNEL(256) phase_weights_forward(const float* __restrict__ weight, float* __restrict__ phases, int co, int ci) {
    const int kernels = co * ci;
    for (int i = grid_start(); i < 16 * kernels; i += grid_step()) {
        const int phase = i / (4 * kernels), kernel = i / 4 % kernels;
        const float* from = weight + kernel * 9;
        float sum = 0.0f;
        for (int u = 0; u < 3; ++u)
            for (int v = 0; v < 3; ++v)
                if (phase_tap(phase / 2, u) == i / 2 % 2 && phase_tap(phase % 2, v) == i % 2) sum += from[u * 3 + v];
        phases[i] = sum;
    }
}

KERNEL(256) phase_weights_backward(const float* __restrict__ dphases, float* __restrict__ dweight, int co, int ci) {
    const int kernels = co * ci;
    for (int i = grid_start(); i < 9 * kernels; i += grid_step()) {
        const int kernel = i / 9, u = i / 3 % 3, v = i % 3;
        float sum = 0.0f;
        for (int phase = 0; phase < 4; ++phase) {
            const int tap = phase_tap(phase / 2, u) * 2 + phase_tap(phase % 2, v);
            sum += dphases[(phase * kernels + kernel) * 4 + tap];
        }
        dweight[i] = sum;
    }
}

// blockIdx.y strides over the n·co planes of y, blockIdx.x over their pixels.
KERNEL(256) phase_assemble_forward(
    const float* __restrict__ phases, const float* __restrict__ bias, float* __restrict__ y, int n, int co, int h,
    int w) {
    const int wide = 2 * w, pixels = 2 * h * wide;
    for (int plane = (int)blockIdx.y; plane < n * co; plane += (int)gridDim.y) {
        const int image = plane / co, o = plane % co;
        for (int p = grid_start(); p < pixels; p += grid_step()) {
            const int i = p / wide, j = p % wide, a = i % 2, b = j % 2;
            const int from = (image * 4 + a * 2 + b) * co + o;
            y[plane * pixels + p] = phases[(from * (h + 1) + i / 2 + a) * (w + 1) + j / 2 + b] + bias[o];
        }
    }
}

// blockIdx.y strides over the n·4·co planes of dphases; what no output used gets zeros.
KERNEL(256) phase_assemble_backward(
    const float* __restrict__ dy, float* __restrict__ dphases, int n, int co, int h, int w) {
    const int wide = w + 1, pixels = (h + 1) * wide;
    for (int plane = (int)blockIdx.y; plane < n * 4 * co; plane += (int)gridDim.y) {
        const int image = plane / (4 * co), phase = plane / co % 4, o = plane % co, a = phase / 2, b = phase % 2;
        for (int p = grid_start(); p < pixels; p += grid_step()) {
            const int i = p / wide - a, j = p % wide - b;
            const bool used = i >= 0 && i < h && j >= 0 && j < w;
            const int from = ((image * co + o) * 2 * h + 2 * i + a) * 2 * w + 2 * j + b;
            dphases[plane * pixels + p] = used ? dy[from] : 0.0f;
        }
    }
}
