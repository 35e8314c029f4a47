//! Kernels of batch norm and instance norm, in the order in which a launcher calls them.

use autogan_ops::{Activation, batch_norm_eval, batch_norm_train, instance_norm, update_running};
use autogan_testing::kernels::Argument;
use candle_core::{Result, Tensor};

use super::case::{Case, Memory, both_ways, cases, tensor, values, vector};

const EPS: f64 = 1e-5;

/// The kind of the norm, and the sizes of its tensors.
#[derive(Clone, Copy)]
struct Sizes {
    n: usize,
    c: usize,
    h: usize,
    w: usize,
    /// Instance norm if true, batch norm if false.
    per_plane: bool,
    relu: bool,
}

impl Sizes {
    fn any(case: &mut Case, per_plane: bool) -> Self {
        let (n, c, h, w) = (case.size(4), case.size(5), case.size(8), case.size(8));
        // The variance of a single value consists of rounding errors.
        Self { n, c, h, w: if h * w == 1 { 6 } else { w }, per_plane, relu: case.flag() }
    }

    fn pixels(&self) -> usize {
        self.h * self.w
    }

    fn groups(&self) -> usize {
        if self.per_plane { self.n * self.c } else { self.c }
    }

    fn activation(&self) -> Activation {
        if self.relu { Activation::Relu } else { Activation::Linear }
    }

    fn x(&self) -> (usize, usize, usize, usize) {
        (self.n, self.c, self.h, self.w)
    }

    /// The arguments of kernels over groups: n, c, pixels, per_plane.
    fn of_groups(&self) -> [Argument; 4] {
        [self.n.into(), self.c.into(), self.pixels().into(), self.per_plane.into()]
    }

    /// The arguments of kernels over planes: planes, c, pixels, per_plane, relu.
    fn of_planes(&self) -> [Argument; 5] {
        let planes = self.n * self.c;
        [
            planes.into(),
            self.c.into(),
            self.pixels().into(),
            self.per_plane.into(),
            self.relu.into(),
        ]
    }
}

/// The mean, variance, factor, shift and 1 / √(var + eps) of each group.
struct Factors {
    mean: Memory<f64>,
    var: Memory<f64>,
    a: Memory<f32>,
    b: Memory<f32>,
    inv_std: Memory<f64>,
}

fn input(parameter: Option<&Memory<f32>>) -> Argument {
    parameter.map_or(Argument::null(), Memory::input)
}

type Parameters<'a> = Option<(&'a Memory<f32>, &'a Memory<f32>)>;

fn statistics(case: &mut Case, s: Sizes, x: &Memory<f32>) -> (Memory<f64>, Memory<f64>) {
    let (mut mean, mut var) = (case.fresh(s.groups()), case.fresh(s.groups()));
    let (grid, block) = (case.grid(), case.block());
    let arguments = [&[x.input(), mean.output(), var.output()], &s.of_groups()[..]].concat();
    case.launch("norm_statistics", grid, block, &arguments);
    (mean, var)
}

fn factors(
    case: &mut Case,
    s: Sizes,
    (mean, var): (Memory<f64>, Memory<f64>),
    parameters: Parameters,
) -> Factors {
    let groups = s.groups();
    let (a, b, inv_std) = (case.fresh(groups), case.fresh(groups), case.fresh(groups));
    let mut f = Factors { mean, var, a, b, inv_std };
    let (grid, block) = (case.grid(), case.block());
    let arguments = [
        f.mean.input(),
        f.var.input(),
        input(parameters.map(|p| p.0)),
        input(parameters.map(|p| p.1)),
        f.a.output(),
        f.b.output(),
        f.inv_std.output(),
        groups.into(),
        s.c.into(),
        EPS.into(),
    ];
    case.launch("norm_factors", grid, block, &arguments);
    f
}

fn forward(case: &mut Case, s: Sizes, x: &Memory<f32>, f: &Factors) -> Memory<f32> {
    let mut y = case.fresh::<f32>(x.read().len());
    let (grid, block) = (case.grid_of_planes(), case.block());
    let arguments =
        [&[x.input(), f.a.input(), f.b.input(), y.output()], &s.of_planes()[..]].concat();
    case.launch("norm_forward", grid, block, &arguments);
    y
}

/// The numbers of each group that the gradient needs.
struct Slopes {
    sum: Memory<f64>,
    dot: Memory<f64>,
}

fn sums(case: &mut Case, s: Sizes, x: &Memory<f32>, dy: &Memory<f32>, f: &Factors) -> Slopes {
    let mut out = Slopes { sum: case.fresh(s.groups()), dot: case.fresh(s.groups()) };
    let (grid, block) = (case.grid(), case.block());
    let arguments = [
        &[
            x.input(),
            dy.input(),
            f.a.input(),
            f.b.input(),
            f.mean.input(),
            f.inv_std.input(),
            out.sum.output(),
            out.dot.output(),
        ],
        &s.of_groups()[..],
        &[s.relu.into()],
    ]
    .concat();
    case.launch("norm_gradient_sums", grid, block, &arguments);
    out
}

fn no_output() -> Argument {
    Argument::pointer('F', std::ptr::null())
}

/// Computes dx in place of a copy of dy, with the statistics of the input or with constants.
fn input_gradient(
    case: &mut Case,
    s: Sizes,
    x: &Memory<f32>,
    dy: &[f32],
    f: &Factors,
    slopes: Option<(&Memory<f32>, &Memory<f32>)>,
) -> Memory<f32> {
    let mut dx = case.memory(dy);
    let (grid, block) = (case.grid_of_planes(), case.block());
    let arguments = [
        &[
            x.input(),
            dx.input(),
            dx.output(),
            f.a.input(),
            f.b.input(),
            input(slopes.map(|p| p.0)),
            input(slopes.map(|p| p.1)),
        ],
        &s.of_planes()[..],
    ]
    .concat();
    case.launch("norm_input_gradient", grid, block, &arguments);
    dx
}

/// The slope and the shift of each group, and the gradients of weight and bias if there are any.
fn gradient_factors(
    case: &mut Case,
    s: Sizes,
    f: &Factors,
    sums: &Slopes,
    weight: Option<&Memory<f32>>,
) -> [Memory<f32>; 4] {
    let mut out: [Memory<f32>; 4] = std::array::from_fn(|_| case.fresh(s.groups()));
    let [slope, shift, dweight, dbias] = &mut out;
    let count = if s.per_plane { s.pixels() } else { s.n * s.pixels() };
    let (grid, block) = (case.grid(), case.block());
    let arguments = [
        sums.sum.input(),
        sums.dot.input(),
        f.mean.input(),
        f.inv_std.input(),
        input(weight),
        slope.output(),
        shift.output(),
        if weight.is_some() { dweight.output() } else { no_output() },
        if weight.is_some() { dbias.output() } else { no_output() },
        s.groups().into(),
        s.c.into(),
        count.into(),
    ];
    case.launch("norm_gradient_factors", grid, block, &arguments);
    out
}

#[test]
fn batch_norm_equals_the_operator() {
    cases(|case| {
        let s = Sizes::any(case, false);
        let x: Vec<f32> = case.floats(s.n * s.c * s.pixels()).iter().map(|v| v + 0.4).collect();
        let (weight, bias, dy) = (case.floats(s.c), case.floats(s.c), case.floats(x.len()));
        let inputs = [tensor(&x, s.x()), tensor(&weight, s.c), tensor(&bias, s.c)];
        let train = |t: &[Tensor]| batch_norm_train(&t[0], &t[1], &t[2], EPS, s.activation());
        let (y, grads) = both_ways(&inputs, &dy, |t| Ok(train(t)?.y));
        let found = train(&inputs).unwrap();
        let (mx, mw, mb, md) =
            (case.memory(&x), case.memory(&weight), case.memory(&bias), case.memory(&dy));
        let measured = statistics(case, s, &mx);
        case.close("norm_statistics: mean", &measured.0, &values(&found.mean), 1e-6);
        case.close("norm_statistics: variance", &measured.1, &values(&found.var), 1e-6);
        let f = factors(case, s, measured, Some((&mw, &mb)));
        let my = forward(case, s, &mx, &f);
        case.close("norm_forward", &my, &y, 1e-5);
        let sums = sums(case, s, &mx, &md, &f);
        let [slope, shift, dweight, dbias] = gradient_factors(case, s, &f, &sums, Some(&mw));
        case.close("norm_gradient_factors: weight", &dweight, &grads[1], 1e-4);
        case.close("norm_gradient_factors: bias", &dbias, &grads[2], 1e-4);
        let dx = input_gradient(case, s, &mx, &dy, &f, Some((&slope, &shift)));
        case.close("norm_input_gradient", &dx, &grads[0], 1e-4);
    });
}

#[test]
fn batch_norm_by_constants_equals_the_operator() {
    cases(|case| {
        let s = Sizes::any(case, false);
        let (x, dy) = (case.floats(s.n * s.c * s.pixels()), case.floats(s.n * s.c * s.pixels()));
        let (weight, bias, mean) = (case.floats(s.c), case.floats(s.c), case.floats(s.c));
        let mean: Vec<f64> = mean.iter().map(|&v| v.into()).collect();
        let var: Vec<f64> = mean.iter().map(|v| 0.2 + v * v).collect();
        let inputs = [tensor(&x, s.x()), tensor(&weight, s.c), tensor(&bias, s.c)];
        let eval = |t: &[Tensor]| -> Result<Tensor> {
            let (mean, var) = (vector(&mean), vector(&var));
            batch_norm_eval(&t[0], &mean, &var, &t[1], &t[2], EPS, s.activation())
        };
        let (y, grads) = both_ways(&inputs, &dy, eval);
        let (mx, mw, mb) = (case.memory(&x), case.memory(&weight), case.memory(&bias));
        let given = (case.memory(&mean), case.memory(&var));
        let f = factors(case, s, given, Some((&mw, &mb)));
        let my = forward(case, s, &mx, &f);
        case.close("norm_forward by constants", &my, &y, 1e-5);
        let dx = input_gradient(case, s, &mx, &dy, &f, None);
        case.close("norm_input_gradient by constants", &dx, &grads[0], 1e-4);
    });
}

#[test]
fn instance_norm_equals_the_operator() {
    cases(|case| {
        let s = Sizes::any(case, true);
        let (x, dy) = (case.floats(s.n * s.c * s.pixels()), case.floats(s.n * s.c * s.pixels()));
        let (y, grads) =
            both_ways(&[tensor(&x, s.x())], &dy, |t| instance_norm(&t[0], EPS, s.activation()));
        let (mx, md) = (case.memory(&x), case.memory(&dy));
        let measured = statistics(case, s, &mx);
        let f = factors(case, s, measured, None);
        let my = forward(case, s, &mx, &f);
        case.close("norm_forward by planes", &my, &y, 1e-5);
        let sums = sums(case, s, &mx, &md, &f);
        let [slope, shift, ..] = gradient_factors(case, s, &f, &sums, None);
        let dx = input_gradient(case, s, &mx, &dy, &f, Some((&slope, &shift)));
        case.close("norm_input_gradient by planes", &dx, &grads[0], 1e-4);
    });
}

#[test]
fn running_statistics_equal_the_operator() {
    cases(|case| {
        let (c, count, momentum) = (case.size(600), 1 + case.size(40), case.pick(&[0.1, 0.7, 1.0]));
        let [old_mean, old_var, mean, var] = [(); 4].map(|()| case.floats(c));
        let doubles = |values: &[f32]| values.iter().map(|&v| v.into()).collect::<Vec<f64>>();
        let (mean, var) = (doubles(&mean), doubles(&var));
        let (expected_mean, expected_var) = (tensor(&old_mean, c), tensor(&old_var, c));
        let (running, batch) = ((&expected_mean, &expected_var), (&vector(&mean), &vector(&var)));
        update_running(running, batch, count, momentum).unwrap();
        let (mut running_mean, mut running_var) = (case.memory(&old_mean), case.memory(&old_var));
        let (mean, var) = (case.memory(&mean), case.memory(&var));
        let (grid, block) = (case.grid(), case.block());
        let arguments = [
            mean.input(),
            var.input(),
            running_mean.output(),
            running_var.output(),
            c.into(),
            momentum.into(),
            (count as f64 / (count - 1) as f64).into(),
        ];
        case.launch("norm_running", grid, block, &arguments);
        case.close("norm_running: mean", &running_mean, &values(&expected_mean), 1e-6);
        case.close("norm_running: variance", &running_var, &values(&expected_var), 1e-6);
    });
}
