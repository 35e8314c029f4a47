// Adam and the moving average of parameters, for many tensors in one launch: optim.rs.
//
// blockIdx.y is the tensor, blockIdx.x strides over its elements. The lists lie in device memory.
#include "cuda/kernel.cuh"

// One parameter with its gradient and moments. `size` is lr / (1 − β₁ᵗ) and `root` is √(1 − β₂ᵗ) of its own step t.
struct AdamTensor {
    float* p;
    const float* g;
    float* m;
    float* v;
    int count;
    float size;
    float root;
    float unused;
};

// The average of a parameter, and the parameter.
struct EmaTensor {
    float* average;
    const float* value;
    int count;
    int unused;
};

// m = β₁·m + (1 − β₁)·g, v = β₂·v + (1 − β₂)·g², p −= size · m / (√v / root + eps). `take` is 1 − β, which the
// launcher takes in double precision.
KERNEL(256) adam_step(
    const AdamTensor* __restrict__ tensors, float beta1, float take1, float beta2, float take2, float eps) {
    const AdamTensor t = tensors[blockIdx.y];
    for (int i = grid_start(); i < t.count; i += grid_step()) {
        const float g = t.g[i];
        const float m = beta1 * t.m[i] + take1 * g;
        const float v = beta2 * t.v[i] + take2 * (g * g);
        t.m[i] = m;
        t.v[i] = v;
        t.p[i] -= t.size * m / (sqrtf(v) / t.root + eps);
    }
}

// average = decay · average + take · value.
KERNEL(256) ema_step(const EmaTensor* __restrict__ tensors, float decay, float take) {
    const EmaTensor t = tensors[blockIdx.y];
    zip_elements(t.average, t.value, t.average, t.count, [=](float a, float b) { return decay * a + take * b; });
}
