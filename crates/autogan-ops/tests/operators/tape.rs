//! The tape gives the same gradients as candle, for every operator that it can record.

use autogan_ops::{self as ops, Activation, Before, GradientOf, Resize, Statistics};
use candle_core::{DType, Result, Tensor, Var};

use crate::common::{constant, random};

fn var(seed: u64, shape: &[usize]) -> Var {
    Var::from_tensor(&random(seed, shape).to_dtype(DType::F32).unwrap()).unwrap()
}

/// A number that every operator takes part in; some of their results are used twice.
fn network(v: &[Var]) -> Result<Tensor> {
    let t = |i: usize| v[i].as_tensor();
    let h = ops::linear(t(0), t(1), Some(t(2)))?;
    let h = ops::reshape(&h, &[18, 3, 4, 4])?;
    let statistics = Statistics::Own;
    let before = Before::BatchNorm { weight: t(3), bias: t(4), statistics, eps: 1e-3 };
    let a = ops::conv2d_fused(&h, before, Resize::NearestUp, t(5), t(4))?.y;
    let kernel = ops::permute(&ops::reshape(t(6), &[3, 2, 2, 3])?, &[0, 3, 1, 2])?;
    let b = ops::add(&a, &ops::conv_transpose2x2(&h, &kernel, t(4))?)?;
    let b = ops::add(&b, &ops::upsample_bilinear(&ops::conv2d(&h, t(7), None)?, 2)?)?;
    let b =
        ops::instance_norm(&ops::add(&b, &ops::upsample_nearest(&h, 2)?)?, 1e-3, Activation::Relu)?;
    let b = ops::batch_norm_train(&b, t(3), t(4), 1e-3, Activation::Linear)?.y;
    let (u, right) = (constant(0.5, 3), constant(0.25, 27));
    let normal = ops::spectral_normalize(t(5), &u, &right)?;
    let c = ops::conv2d_fused(&b, Before::Relu, Resize::AveragePool, &normal, t(4))?.y;
    let c = ops::add(&c, &ops::avg_pool2(&ops::tanh(&b)?)?)?;
    let scores = ops::linear(&ops::sum_pool(&ops::relu(&c)?)?, t(8), None)?;
    ops::add(&ops::hinge_mean(&scores, 0.01)?, &ops::scaled_mean(&scores, -0.5)?)
}

fn variables() -> Vec<Var> {
    let shapes: [&[usize]; 9] =
        [&[18, 5], &[48, 5], &[48], &[3], &[3], &[3, 3, 3, 3], &[36], &[3, 3, 1, 1], &[2, 3]];
    shapes.iter().zip(1..).map(|(shape, seed)| var(seed, shape)).collect()
}

#[test]
fn gradients_are_those_of_candle() {
    let v = variables();
    let loss = network(&v).unwrap();
    let expected = loss.backward().unwrap();
    let (value, grads) = ops::gradients(|| network(&v)).unwrap();
    assert_eq!(value.to_scalar::<f32>().unwrap(), loss.to_scalar::<f32>().unwrap());
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (i, v) in v.iter().enumerate() {
        let (found, expected) = (grads.gradient_of(v).unwrap(), expected.get(v).unwrap());
        assert!(flat(expected).iter().any(|&g| g != 0.0), "variable {i} has no gradient at all");
        for (f, e) in flat(found).iter().zip(flat(expected)) {
            // Where three gradients meet, the order of their sum may differ.
            assert!((f - e).abs() <= 1e-5 * (1.0 + e.abs()), "variable {i}: {f}, expected {e}");
        }
    }
}

#[test]
fn constants_get_no_gradient() {
    let (x, w) = (var(1, &[2, 3]), var(2, &[4, 3]));
    let (_, grads) =
        ops::gradients(|| ops::scaled_mean(&ops::linear(&x.as_detached_tensor(), &w, None)?, 1.0))
            .unwrap();
    assert!(grads.gradient_of(&x).is_none() && grads.gradient_of(&w).is_some());
}

#[test]
fn misuse_is_an_error_and_leaves_nothing_behind() {
    let x = var(1, &[2, 3]);
    let not_one = ops::gradients(|| ops::relu(&x)).unwrap_err();
    assert!(not_one.to_string().contains("one number"), "{not_one}");
    let foreign = ops::gradients(|| x.sum_all()).unwrap_err();
    assert!(foreign.to_string().contains("recorded operator"), "{foreign}");
    let mixed = ops::gradients(|| ops::scaled_mean(&x.affine(2.0, 0.0)?, 1.0)).unwrap_err();
    assert!(mixed.to_string().contains("an operator of candle"), "{mixed}");
    let lost =
        ops::gradients(|| ops::scaled_mean(&ops::relu(&x)?.affine(2.0, 0.0)?, 1.0)).unwrap_err();
    assert!(lost.to_string().contains("by an operator of candle"), "{lost}");
    let g = ops::ConvGeometry { stride: 1, pad_h: 0, pad_w: 0 };
    let (image, kernel, bias) = (var(2, &[1, 1, 2, 2]), var(3, &[1, 1, 1, 1]), var(4, &[1]));
    let evaluated = ops::gradients(|| {
        let h = ops::relu(&image)?;
        ops::scaled_mean(&ops::conv2d_relu(&h, &kernel, &bias, g)?, 1.0)
    });
    assert!(evaluated.is_err(), "an operator without gradient is not recorded");
    let nested =
        ops::gradients(|| ops::gradients(|| ops::scaled_mean(&x, 1.0)).map(|(value, _)| value));
    assert!(nested.unwrap_err().to_string().contains("while gradients are being recorded"));
    // Outside again, operators take part in candle's graph.
    let grads = ops::scaled_mean(&x, 1.0).unwrap().backward().unwrap();
    assert!(grads.get(&x).is_some());
}

/// A function whose gradient would be wrong without an error if the result of `bypass` counted as a constant.
fn bypassed(bypass: impl Fn(&Tensor) -> Result<Tensor>) -> Result<ops::Gradients> {
    let x = var(1, &[2, 3]);
    let (_, grads) = ops::gradients(|| {
        let h = ops::tanh(&x)?;
        ops::scaled_mean(&ops::add(&h, &bypass(&h)?)?, 6.0)
    })?;
    assert!(grads.gradient_of(&x).is_some());
    Ok(grads)
}

#[test]
fn candle_s_operators_on_activations_are_errors() {
    type Bypass = fn(&Tensor) -> Result<Tensor>;
    let operators: [(&str, Bypass); 8] = [
        ("relu", |h| h.relu()),
        ("affine", |h| h.affine(2.0, 0.0)),
        ("a sum", |h| h + h),
        ("a view", |h| h.reshape((3, 2))?.reshape((2, 3))),
        ("a part", |h| Tensor::cat(&[h.narrow(0, 0, 1)?, h.narrow(0, 1, 1)?], 0)),
        ("a copy", |h| h.copy()),
        ("another type", |h| h.to_dtype(DType::F64)?.to_dtype(DType::F32)),
        ("a view of ours", |h| ops::permute(&ops::permute(h, &[1, 0])?.relu()?, &[1, 0])),
    ];
    for (name, operator) in operators {
        let Err(error) = bypassed(operator) else { panic!("{name} on an activation is no error") };
        assert!(error.to_string().contains("by an operator of candle"), "{name}: {error}");
    }
    // As the last value, too, and what is made of a parameter by a view of ours.
    let (x, w) = (var(1, &[2, 3]), var(2, &[6]));
    let last = ops::gradients(|| ops::scaled_mean(&ops::relu(&x)?, 1.0)? + 1.0).unwrap_err();
    assert!(last.to_string().contains("by an operator of candle"), "{last}");
    let parameter = ops::gradients(|| {
        let w = ops::reshape(&w, &[2, 3])?;
        ops::scaled_mean(&ops::add(&ops::add(&x, &w)?, &w.relu()?)?, 1.0)
    });
    assert!(parameter.unwrap_err().to_string().contains("by an operator of candle"));
}

#[test]
fn what_is_detached_is_constant_and_values_may_be_read() {
    let flat = |g: &Tensor| g.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let x = var(1, &[2, 3]);
    let gradient = |bypass: &dyn Fn(&Tensor) -> Result<Tensor>| {
        let (_, grads) = ops::gradients(|| {
            let h = ops::tanh(&x)?;
            ops::scaled_mean(&ops::add(&h, &bypass(&h)?)?, 6.0)
        })
        .unwrap();
        flat(grads.gradient_of(&x).unwrap())
    };
    let alone = gradient(&|h| h.zeros_like());
    assert_eq!(gradient(&|h| Ok(h.detach())), alone);
    assert_eq!(gradient(&|h| h.detach().affine(2.0, 1.0)?.relu()), alone);
    assert_eq!(gradient(&|h| Tensor::from_vec(flat(h), (2, 3), h.device())), alone);
    let doubled: Vec<f32> = alone.iter().map(|g| 2.0 * g).collect();
    assert_eq!(gradient(&|h| Ok(h.clone())), doubled);
    let (value, _) = ops::gradients(|| ops::scaled_mean(&ops::relu(&x)?, 1.0)).unwrap();
    assert!(!value.track_op(), "the value is a constant");
}

#[test]
fn gradients_inside_of_a_recording_know_nothing_of_it() {
    // Operators and recordings that are joined do not see the tape around them: an activation of it is an error there as
    // soon as something is made of it that the tape would miss.
    let inner = |h: &Tensor| ops::gradients(|| ops::scaled_mean(&ops::relu(h)?, 1.0));
    let recordings = bypassed(|h| {
        let (a, _) = ops::join(h, || inner(h), || ());
        a.map(|(value, _)| value)?.broadcast_as(h.shape())?.contiguous()
    });
    assert!(recordings.unwrap_err().to_string().contains("in another recording"));
    let operators = bypassed(|h| ops::join(h, || ops::relu(h), || ()).0);
    assert!(operators.unwrap_err().to_string().contains("by an operator of candle"));
    // Of a constant both are what they are anywhere.
    bypassed(|h| {
        let h = h.detach();
        let (a, b) = ops::join(&h, || ops::relu(&h), || ops::tanh(&h));
        ops::add(&a?, &b?)
    })
    .unwrap();
    let x = var(3, &[2, 3]);
    bypassed(|h| {
        let inner = ops::join(h, || inner(&x), || ()).0?.0;
        inner.broadcast_as(h.shape())?.contiguous()
    })
    .unwrap();
}

#[test]
fn an_activation_that_outlives_its_recording_is_used_by_nobody() {
    let x = var(1, &[2, 3]);
    let mut kept = None;
    ops::gradients(|| {
        let h = ops::tanh(&x)?;
        kept = Some(h.clone());
        ops::scaled_mean(&h, 1.0)
    })
    .unwrap();
    let kept = kept.unwrap();
    let later = ops::gradients(|| ops::scaled_mean(&ops::add(&x, &kept)?, 1.0)).unwrap_err();
    assert!(later.to_string().contains("in another recording"), "{later}");
    ops::gradients(|| ops::scaled_mean(&ops::add(&x, &kept.detach())?, 1.0)).unwrap();
    // In candle's graph it has no way back either, whether by our operators or by candle's.
    for loss in [ops::scaled_mean(&kept, 1.0).unwrap(), (&kept + 1.0).unwrap().sum_all().unwrap()] {
        let error = loss.backward().unwrap_err().to_string();
        assert!(error.contains("has no gradient in candle's graph"), "{error}");
    }
    // And what candle made of a variable before is an error inside.
    let scaled = x.affine(2.0, 0.0).unwrap();
    let before = ops::gradients(|| ops::scaled_mean(&ops::add(&x, &scaled)?, 1.0)).unwrap_err();
    assert!(before.to_string().contains("by an operator of candle"), "{before}");
}

#[test]
fn evaluated_operators_refuse_what_is_recorded() {
    let g = ops::ConvGeometry { stride: 1, pad_h: 0, pad_w: 0 };
    let (image, kernel, bias) = (var(2, &[1, 1, 2, 2]), constant(1.0, 1), constant(0.0, 1));
    let f32 = |t: &Tensor| t.to_dtype(DType::F32);
    let error = ops::gradients(|| {
        let h = ops::relu(&image)?;
        let kernel = f32(&kernel)?.reshape((1, 1, 1, 1))?;
        let more = ops::conv2d_relu(&h, &kernel, &f32(&bias)?, g)?;
        ops::scaled_mean(&ops::add(&h, &more)?, 1.0)
    })
    .unwrap_err();
    assert!(error.to_string().contains("has no gradient"), "{error}");
}

#[test]
fn two_recordings_at_once_add_up_to_one() {
    let v = variables();
    let both = || ops::add(&network(&v)?, &ops::scaled_mean(&ops::relu(&v[1])?, 0.5)?);
    let (value, expected) = ops::gradients(both).unwrap();
    for threads in 1..4 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (a, b) = pool.install(|| {
            ops::join(
                &v[0],
                || ops::gradients(|| network(&v)).unwrap(),
                || ops::gradients(|| ops::scaled_mean(&ops::relu(&v[1])?, 0.5)).unwrap(),
            )
        });
        let sum = ops::add(&a.0, &b.0).unwrap();
        assert_eq!(sum.to_scalar::<f32>().unwrap(), value.to_scalar::<f32>().unwrap());
        let found = a.1.plus(b.1).unwrap();
        for v in &v {
            let flat =
                |g: &dyn Fn() -> Tensor| g().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let found = flat(&|| found.gradient_of(v).unwrap().clone());
            for (f, e) in found.iter().zip(flat(&|| expected.gradient_of(v).unwrap().clone())) {
                // The order of a sum of three may differ.
                assert!((f - e).abs() <= 1e-6 * (1.0 + e.abs()), "{f}, expected {e}");
            }
        }
    }
}

#[test]
fn what_is_joined_is_no_part_of_a_recording_around_it() {
    let x = var(1, &[2, 3]);
    let (_, grads) = ops::gradients(|| {
        let inner = || ops::gradients(|| ops::scaled_mean(&ops::relu(&x)?, 1.0)).map(|(v, _)| v);
        let (a, b) = ops::join(&x, inner, || ops::tanh(&x.as_detached_tensor()));
        let constant = ops::add(&a?.detach(), &ops::scaled_mean(&b?.detach(), 1.0)?)?;
        ops::add(&ops::scaled_mean(&x, 3.0)?, &constant)
    })
    .unwrap();
    for g in grads.gradient_of(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap() {
        assert_eq!(g, 0.5);
    }
}
