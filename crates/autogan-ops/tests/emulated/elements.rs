//! Elementwise kernels: activations, sums, and the steps of the optimizer.

use autogan_ops::{Adam, AdamConfig, GradientOf, add, ema_update, relu, tanh};
use autogan_testing::kernels::Argument;
use candle_core::{Device, Result, Tensor, Var};

use super::case::{Case, Memory, both_ways, cases, tensor, values};

type Operator = fn(&Tensor) -> Result<Tensor>;

fn activation(case: &mut Case, forward: &str, backward: &str, operator: Operator) {
    let n = case.size(700);
    let (x, dy) = (case.floats(n), case.floats(n));
    let (y, grads) = both_ways(&[tensor(&x, n)], &dy, |t| operator(&t[0]));
    let (mx, md) = (case.memory(&x), case.memory(&dy));
    let (mut my, mut mdx) = (case.fresh::<f32>(n), case.fresh::<f32>(n));
    let (grid, block) = (case.grid(), case.block());
    case.launch(forward, grid, block, &[mx.input(), my.output(), n.into()]);
    case.close(forward, &my, &y, 1e-5);
    case.launch(backward, grid, block, &[my.input(), md.input(), mdx.output(), n.into()]);
    case.close(backward, &mdx, &grads[0], 1e-5);
}

#[test]
fn relu_equals_the_operator() {
    cases(|case| activation(case, "relu_forward", "relu_backward", relu));
}

#[test]
fn tanh_equals_the_operator() {
    cases(|case| activation(case, "tanh_forward", "tanh_backward", tanh));
}

#[test]
fn sums_equal_the_operator_also_in_place() {
    cases(|case| {
        let n = case.size(700);
        let (a, b) = (case.floats(n), case.floats(n));
        let expected = values(&add(&tensor(&a, n), &tensor(&b, n)).unwrap());
        let (mut ma, mb, mut my) = (case.memory(&a), case.memory(&b), case.fresh::<f32>(n));
        let (grid, block) = (case.grid(), case.block());
        case.launch("add_forward", grid, block, &[ma.input(), mb.input(), my.output(), n.into()]);
        case.close("add_forward", &my, &expected, 1e-6);
        let in_place = [ma.input(), mb.input(), ma.output(), n.into()];
        case.launch("add_forward", grid, block, &in_place);
        case.close("add_forward in place", &ma, &expected, 1e-6);
    });
}

/// The struct `AdamTensor` of optim.cu.
#[repr(C)]
struct AdamTensor {
    p: *mut f32,
    g: *const f32,
    m: *mut f32,
    v: *mut f32,
    count: i32,
    size: f32,
    root: f32,
    unused: f32,
}

/// The struct `EmaTensor` of optim.cu.
#[repr(C)]
struct EmaTensor {
    average: *mut f32,
    value: *const f32,
    count: i32,
    unused: i32,
}

/// The gradients of one step, each with its variable.
struct StepGradients(Vec<(Var, Tensor)>);

impl GradientOf for StepGradients {
    fn gradient_of(&self, variable: &Tensor) -> Option<&Tensor> {
        let same = |v: &Var| v.as_tensor().id() == variable.id();
        self.0.iter().find(|(v, _)| same(v)).map(|(_, g)| g)
    }
}

/// One parameter, as the operator has it and as the kernel has it.
struct Parameter {
    name: String,
    var: Var,
    p: Memory<f32>,
    m: Memory<f32>,
    v: Memory<f32>,
    /// The number of steps that it took part in.
    steps: i32,
}

impl Parameter {
    fn new(case: &mut Case, i: usize) -> Self {
        let n = case.size(300);
        let p = case.floats(n);
        let zeros = vec![0.0; n];
        Self {
            name: format!("p{i}"),
            var: Var::from_tensor(&Tensor::new(&*p, &Device::Cpu).unwrap()).unwrap(),
            p: case.memory(&p),
            m: case.memory(&zeros),
            v: case.memory(&zeros),
            steps: 0,
        }
    }

    fn len(&self) -> usize {
        self.p.read().len()
    }
}

fn adam_kernel(case: &mut Case, config: AdamConfig, with: &mut [(&mut Parameter, Memory<f32>)]) {
    let mut list: Vec<AdamTensor> = with
        .iter_mut()
        .map(|(p, g)| AdamTensor {
            p: p.p.start(),
            g: g.start(),
            m: p.m.start(),
            v: p.v.start(),
            count: p.len() as i32,
            size: (config.lr / (1.0 - config.beta1.powi(p.steps))) as f32,
            root: (1.0 - config.beta2.powi(p.steps)).sqrt() as f32,
            unused: 0.0,
        })
        .collect();
    let grid = [case.grid()[0], list.len() as u32, 1];
    let (take1, take2) = ((1.0 - config.beta1) as f32, (1.0 - config.beta2) as f32);
    let arguments = [
        Argument::pointer('a', list.as_mut_ptr().cast_const().cast()),
        (config.beta1 as f32).into(),
        take1.into(),
        (config.beta2 as f32).into(),
        take2.into(),
        (config.eps as f32).into(),
    ];
    case.launch("adam_step", grid, case.seed as u32 % 2 * 224 + 32, &arguments);
}

#[test]
fn adam_equals_the_optimizer_over_several_steps() {
    cases(|case| {
        let config =
            AdamConfig { lr: 2e-3, beta1: case.pick(&[0.0, 0.5, 0.9]), beta2: 0.99, eps: 1e-8 };
        let mut adam = Adam::new(config);
        let mut all: Vec<Parameter> = (0..case.size(4)).map(|i| Parameter::new(case, i)).collect();
        for step in 0..3 {
            let mut given = StepGradients(Vec::new());
            let mut with = Vec::new();
            for (i, p) in all.iter_mut().enumerate() {
                if (i + step) % 3 == 1 {
                    continue;
                }
                let g = case.floats(p.len());
                given.0.push((p.var.clone(), Tensor::new(&*g, &Device::Cpu).unwrap()));
                p.steps += 1;
                with.push((p, case.memory(&g)));
            }
            if with.is_empty() {
                continue;
            }
            adam_kernel(case, config, &mut with);
            let vars: Vec<(&str, &Var)> = all.iter().map(|p| (p.name.as_str(), &p.var)).collect();
            adam.step(vars, &given).unwrap();
        }
        for p in all.iter().filter(|p| p.steps > 0) {
            let floats = |t: &Tensor| -> Vec<f64> {
                t.to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect()
            };
            let moments = &adam.moments()[&p.name];
            case.close("adam_step: p", &p.p, &floats(p.var.as_tensor()), 1e-6);
            case.close("adam_step: m", &p.m, &floats(&moments.m), 1e-6);
            case.close("adam_step: v", &p.v, &floats(&moments.v), 1e-6);
        }
    });
}

#[test]
fn averages_of_parameters_equal_the_update() {
    cases(|case| {
        let decay: f64 = case.pick(&[0.0, 0.9, 0.999]);
        let mut pairs = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..case.size(4) {
            let n = case.size(300);
            let (average, value) = (case.floats(n), case.floats(n));
            let t = tensor(&average, n);
            ema_update(&[(&t, &tensor(&value, n))], decay).unwrap();
            expected.push(values(&t));
            pairs.push((case.memory(&average), case.memory(&value)));
        }
        let list: Vec<EmaTensor> = pairs
            .iter_mut()
            .map(|(average, value)| EmaTensor {
                count: average.read().len() as i32,
                average: average.start(),
                value: value.start(),
                unused: 0,
            })
            .collect();
        let grid = [case.grid()[0], list.len() as u32, 1];
        let list = Argument::pointer('e', list.as_ptr().cast());
        let arguments = [list, (decay as f32).into(), ((1.0 - decay) as f32).into()];
        let block = case.block();
        case.launch("ema_step", grid, block, &arguments);
        for ((average, _), expected) in pairs.iter().zip(&expected) {
            case.close("ema_step", average, expected, 1e-6);
        }
    });
}
