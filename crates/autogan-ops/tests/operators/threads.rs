//! The same bits for any number of threads.

use crate::common::{constant, random};
use autogan_ops as ops;
use candle_core::{DType, Tensor, Var};

fn bits(threads: usize) -> Vec<Vec<u32>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let var = |seed, shape: &[usize]| {
            Var::from_tensor(&random(seed, shape).to_dtype(DType::F32).unwrap()).unwrap()
        };
        let (x, w, b) = (var(1, &[19, 12, 9, 14]), var(2, &[12, 12, 3, 3]), var(3, &[12]));
        let (scale, deconv) = (var(4, &[12]), var(5, &[12, 12, 2, 2]));
        let h = ops::conv2d(&x, &w, Some(&b)).unwrap();
        let h = ops::batch_norm_train(&h, &scale, &b, 1e-5, ops::Activation::Relu).unwrap().y;
        let h = ops::conv_transpose2x2(&h, &deconv, &b).unwrap();
        let h = ops::upsample_bilinear(&ops::avg_pool2(&h).unwrap(), 2).unwrap();
        let before = ops::Before::InstanceNorm { eps: 1e-5 };
        let h = ops::conv2d_fused(&h, before, ops::Resize::AveragePool, &w, &b).unwrap().y;
        let h = ops::conv2d_fused(&h, ops::Before::Relu, ops::Resize::NearestUp, &w, &b).unwrap().y;
        let y = ops::tanh(&ops::instance_norm(&h, 1e-5, ops::Activation::Linear).unwrap()).unwrap();
        let grads = ops::sum_pool(&y.sqr().unwrap().mul(&y).unwrap())
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        let (rows, matrix) = (var(6, &[65, 130]), var(7, &[700, 130]));
        let product = ops::linear(&rows, &matrix, Some(&var(8, &[700]))).unwrap();
        let (u, v) = (constant(0.1, 700), constant(0.2, 130));
        let normal = ops::spectral_normalize(&matrix, &u, &v).unwrap();
        let sum = ops::linear(&rows, &normal, None).unwrap().mul(&product).unwrap();
        let products = sum.sum_all().unwrap().backward().unwrap();
        let raw = |t: &Tensor| -> Vec<u32> {
            t.flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
                .into_iter()
                .map(f32::to_bits)
                .collect()
        };
        let mut all = vec![raw(&y)];
        all.extend([&x, &w, &b, &scale, &deconv].map(|v| raw(grads.get(v).unwrap())));
        all.push(raw(&product));
        all.extend([&rows, &matrix].map(|v| raw(products.get(v).unwrap())));
        all
    })
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let one = bits(1);
    for threads in [2, 3, 4] {
        assert!(one == bits(threads), "{threads} threads give other bits than one");
    }
}
