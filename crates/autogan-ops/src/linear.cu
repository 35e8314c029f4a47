// Matrix products of fully connected layers, and their bias: linear.rs. The plain path, without cuBLAS.
#include "cuda/reduce.cuh"
#include "cuda/tile.cuh"

// y [m, n] = a [m, k] · b [k, n]; with a flag set the operand holds its transpose, so that the same kernel makes
// both gradients. Grid (⌈n / 64⌉, ⌈m / 64⌉), 256 threads.
KERNEL(256) matmul(
    const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ y, int m, int k, int n,
    int a_transposed, int b_transposed) {
    __shared__ Tiles tiles;
    tile_product<true, false>(
        tiles, m, n, 0, k,
        [=](int row, int i) { return a_transposed ? a[i * m + row] : a[row * k + i]; },
        [=](int i, int column) { return b_transposed ? b[column * k + i] : b[i * n + column]; },
        [=](int row, int column, float sum) { y[row * n + column] = sum; });
}

// y [rows, columns] = x + bias [columns] in each row.
KERNEL(256) add_row(
    const float* __restrict__ x, const float* __restrict__ bias, float* __restrict__ y, int rows, int columns) {
    for (int i = grid_start(); i < rows * columns; i += grid_step()) y[i] = x[i] + bias[i % columns];
}

// out [columns] = Σ over the rows of x [rows, columns]: a thread for each column.
KERNEL(256) column_sums(const float* __restrict__ x, float* __restrict__ out, int rows, int columns) {
    for (int column = grid_start(); column < columns; column += grid_step()) {
        double sum = 0.0;
        for (int row = 0; row < rows; ++row) sum += x[row * columns + column];
        out[column] = (float)sum;
    }
}
