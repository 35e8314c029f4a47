// Spectral norm: power iteration, the weight divided by σ, and the gradient of that: spectral.rs.
//
// weight [rows, cols]; u [rows] and v [cols] are f64 and stay on the GPU. One power iteration is
// spectral_columns, spectral_normalise (v), spectral_rows, spectral_normalise (u); σ = spectral_sigma.
#include "cuda/reduce.cuh"

#define EPS 1e-12
// Threads that share a column in spectral_columns, and columns of a block.
#define SHARERS 8
#define COLUMNS 32

// out [cols] = Wᵀ u. Blocks of 256 threads have 32 columns, in 8 shares of the rows.
KERNEL(256) spectral_columns(
    const float* __restrict__ weight, const double* __restrict__ u, double* __restrict__ out, int rows, int cols) {
    __shared__ double shares[SHARERS][COLUMNS];
    const int lane = (int)threadIdx.x % COLUMNS, share = (int)threadIdx.x / COLUMNS;
    for (int first = (int)blockIdx.x * COLUMNS; first < cols; first += (int)gridDim.x * COLUMNS) {
        const int column = first + lane;
        double sum = 0.0;
        if (column < cols)
            for (int row = share; row < rows; row += SHARERS) sum += (double)weight[row * cols + column] * u[row];
        shares[share][lane] = sum;
        __syncthreads();
        if (share == 0 && column < cols) {
            for (int other = 1; other < SHARERS; ++other) sum += shares[other][lane];
            out[column] = sum;
        }
        __syncthreads();
    }
}

// out [rows] = W v: one block for each row, striding.
KERNEL(256) spectral_rows(
    const float* __restrict__ weight, const double* __restrict__ v, double* __restrict__ out, int rows, int cols) {
    __shared__ double scratch[SCRATCH];
    for (int row = (int)blockIdx.x; row < rows; row += (int)gridDim.x) {
        double sum = 0.0;
        for (int k = (int)threadIdx.x; k < cols; k += (int)blockDim.x) sum += (double)weight[row * cols + k] * v[k];
        sum = block_sum(sum, scratch);
        if (threadIdx.x == 0) out[row] = sum;
    }
}

// vector /= max(|vector|, 1e-12), in place, by one block.
KERNEL(256) spectral_normalise(double* __restrict__ vector, int count) {
    __shared__ double scratch[SCRATCH];
    double squares = 0.0;
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x) squares += vector[i] * vector[i];
    const double norm = fmax(sqrt(block_sum(squares, scratch)), EPS);
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x) vector[i] /= norm;
}

// sigma[0] = uᵀ · (W v), of product = W v [rows], by one block.
KERNEL(256) spectral_sigma(
    const double* __restrict__ u, const double* __restrict__ product, double* __restrict__ sigma, int rows) {
    __shared__ double scratch[SCRATCH];
    double sum = 0.0;
    for (int i = (int)threadIdx.x; i < rows; i += (int)blockDim.x) sum += u[i] * product[i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) sigma[0] = sum;
}

// out = weight / σ.
KERNEL(256) spectral_forward(const float* weight, const double* __restrict__ sigma, float* out, int count) {
    const double inverse = 1.0 / sigma[0];
    map_elements(weight, out, count, [=](float w) { return (float)(w * inverse); });
}

// partial [gridDim.x] = the blocks' shares of Σ weight · dout.
KERNEL(256) spectral_along(
    const float* __restrict__ weight, const float* __restrict__ dout, double* __restrict__ partial, int count) {
    __shared__ double scratch[SCRATCH];
    double sum = 0.0;
    for (int i = grid_start(); i < count; i += grid_step()) sum += (double)weight[i] * dout[i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// dweight = dout / σ − (Σ weight·dout / σ²) · u vᵀ; `parts` are the shares of that sum.
KERNEL(256) spectral_backward(
    const float* __restrict__ dout, const double* __restrict__ u, const double* __restrict__ v,
    const double* __restrict__ sigma, const double* __restrict__ partial, float* __restrict__ dweight, int rows,
    int cols, int parts) {
    double along = 0.0;
    for (int i = 0; i < parts; ++i) along += partial[i];
    along /= sigma[0] * sigma[0];
    const double inverse = 1.0 / sigma[0];
    for (int i = grid_start(); i < rows * cols; i += grid_step())
        dweight[i] = (float)(dout[i] * inverse - along * u[i / cols] * v[i % cols]);
}
