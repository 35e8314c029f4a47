// Log-softmax along the last of two dimensions: softmax.rs. One block for each row, striding.
#include "cuda/reduce.cuh"

// x [rows, classes] -> y = x − log Σ exp x.
KERNEL(256) log_softmax_forward(const float* __restrict__ x, float* __restrict__ y, int rows, int classes) {
    __shared__ double scratch[SCRATCH];
    for (int row = (int)blockIdx.x; row < rows; row += (int)gridDim.x) {
        const float* from = x + row * classes;
        float most = -INFINITY;
        for (int k = (int)threadIdx.x; k < classes; k += (int)blockDim.x) most = fmaxf(most, from[k]);
        most = block_max(most, scratch);
        double sum = 0.0;
        for (int k = (int)threadIdx.x; k < classes; k += (int)blockDim.x) sum += exp((double)from[k] - most);
        const double log_sum = log(block_sum(sum, scratch)) + most;
        for (int k = (int)threadIdx.x; k < classes; k += (int)blockDim.x)
            y[row * classes + k] = (float)(from[k] - log_sum);
    }
}

// dx = dy − exp(y) · Σ dy.
KERNEL(256) log_softmax_backward(
    const float* __restrict__ y, const float* __restrict__ dy, float* __restrict__ dx, int rows, int classes) {
    __shared__ double scratch[SCRATCH];
    for (int row = (int)blockIdx.x; row < rows; row += (int)gridDim.x) {
        double sum = 0.0;
        for (int k = (int)threadIdx.x; k < classes; k += (int)blockDim.x) sum += dy[row * classes + k];
        sum = block_sum(sum, scratch);
        for (int k = (int)threadIdx.x; k < classes; k += (int)blockDim.x) {
            const int i = row * classes + k;
            dx[i] = (float)(dy[i] - exp((double)y[i]) * sum);
        }
    }
}
