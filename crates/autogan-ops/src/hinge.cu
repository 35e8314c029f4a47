// Means over all elements, alone and behind a hinge: hinge.rs. The launcher gives one block: losses are short.
#include "cuda/reduce.cuh"

// y[0] = mean(max(1 + factor · x, 0)) with hinge, factor · mean(x) without.
KERNEL(256) mean_forward(const float* __restrict__ x, float* __restrict__ y, int count, double factor, int hinge) {
    __shared__ double scratch[SCRATCH];
    double sum = 0.0;
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x) {
        const double v = hinge ? 1.0 + factor * x[i] : factor * x[i];
        // Written so that NaN passes.
        sum += hinge && v < 0.0 ? 0.0 : v;
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) y[0] = (float)(sum / count);
}

// dx = dy[0] · factor / count where the hinge is open. Any one-dimensional grid.
KERNEL(256) mean_backward(
    const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ dx, int count, double factor,
    int hinge) {
    const float slope = (float)(dy[0] * factor / count);
    for (int i = grid_start(); i < count; i += grid_step())
        dx[i] = !hinge || 1.0 + factor * x[i] > 0.0 ? slope : 0.0f;
}
