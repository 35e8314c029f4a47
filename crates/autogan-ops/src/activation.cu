// ReLU and tanh, elementwise: activation.rs. One-dimensional grids of any size.
#include "cuda/kernel.cuh"

// y = max(x, 0).
KERNEL(256) relu_forward(const float* x, float* y, int count) {
    map_elements(x, y, count, [](float v) { return v > 0.0f ? v : 0.0f; });
}

// dx = dy where y > 0.
KERNEL(256) relu_backward(const float* y, const float* dy, float* dx, int count) {
    zip_elements(y, dy, dx, count, [](float v, float d) { return v > 0.0f ? d : 0.0f; });
}

// y = tanh x.
KERNEL(256) tanh_forward(const float* x, float* y, int count) {
    map_elements(x, y, count, [](float v) { return tanhf(v); });
}

// dx = dy · (1 − y²).
KERNEL(256) tanh_backward(const float* y, const float* dy, float* dx, int count) {
    zip_elements(y, dy, dx, count, [](float v, float d) { return d * (1.0f - v * v); });
}
