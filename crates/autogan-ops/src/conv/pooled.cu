// The kernel of a convolution that averages 2x2 of its outputs: pooled.rs.
#include "../cuda/kernel.cuh"

// weight [kernels, k, k] -> out [kernels, k+1, k+1]: each tap spread over the four places that pooling averages.
KERNEL(256) averaged_forward(const float* __restrict__ weight, float* __restrict__ out, int kernels, int k) {
    const int wide = k + 1, large = wide * wide;
    for (int i = grid_start(); i < kernels * large; i += grid_step()) {
        const float* from = weight + i / large * k * k;
        const int row = i % large / wide, column = i % wide;
        float sum = 0.0f;
        for (int u = max(row - 1, 0); u <= min(row, k - 1); ++u)
            for (int v = max(column - 1, 0); v <= min(column, k - 1); ++v) sum += from[u * k + v] * 0.25f;
        out[i] = sum;
    }
}

// The gradient of the small kernels from that of the large ones.
KERNEL(256) averaged_backward(const float* __restrict__ dout, float* __restrict__ dweight, int kernels, int k) {
    const int wide = k + 1;
    for (int i = grid_start(); i < kernels * k * k; i += grid_step()) {
        const float* from = dout + i / (k * k) * wide * wide + i / k % k * wide + i % k;
        dweight[i] = (from[0] + from[1] + from[wide] + from[wide + 1]) * 0.25f;
    }
}
