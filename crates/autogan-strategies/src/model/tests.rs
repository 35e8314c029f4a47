//! The models against independent computations: golden numbers, dense densities, and the moments of many draws.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::testing::{Landscape, WARMED, observation, problem, query};
use crate::{Fidelity, Objective, Query, Token};

/// Five observations of a space of two tokens, with 2 and 3 choices.
fn small(kind: ModelKind) -> Surrogate {
    let token = |choices: usize| Token {
        name: format!("of {choices}"),
        choices: (0..choices).map(|choice| choice.to_string()).collect(),
        kind: None,
    };
    let fidelity = Fidelity { name: "whole".into(), cost: 1.0, continues: true };
    let space = Space::of_tokens(vec![token(2), token(3)]);
    let problem = Problem { space, fidelities: vec![fidelity], budget: 10.0 };
    let mut model = Surrogate::new(problem, kind).unwrap();
    let values = [([0, 0], 1.0), ([1, 1], 3.5), ([0, 2], 2.0), ([1, 0], 2.5), ([0, 1], 1.5)];
    for (point, value) in values {
        model.tell(&observation(&query(Point(point.to_vec()), 0, 0), Some(value))).unwrap();
    }
    model
}

/// Observations of three fidelities: scores on shared weights, and two lengths, some of the same training.
fn mixed(kind: ModelKind, cells: usize, count: usize) -> Surrogate {
    let fidelities = [(0.1, false), (1.0, true), (2.0, true)];
    let mut landscape = Landscape::new(&problem(Space::of_archs(cells), &fidelities, 100.0), 3);
    let mut model = Surrogate::new(landscape.problem.clone(), kind).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for i in 0..count {
        let point = landscape.problem.space.draw(&mut rng);
        let fidelities: &[usize] = match i % 4 {
            0 => &[0],
            1 => &[1],
            2 => &[1, 2],
            _ => &[0, 2],
        };
        for &fidelity in fidelities {
            let query = Query { point: point.clone(), fidelity, repeat: i };
            let mut observation = landscape.evaluate(&query).unwrap();
            observation.value = observation.value.filter(|_| i % 13 != 5);
            model.tell(&observation).unwrap();
        }
    }
    model
}

fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() < tolerance, "{what}: {found} instead of {expected}");
}

/// The numbers are of this script, which knows kernels and Gauss elimination, but neither features nor factors:
///
/// ```python
/// X = [(0, 0), (1, 1), (0, 2), (1, 0), (0, 1)]; y = [1.0, 3.5, 2.0, 2.5, 1.5]; c = [2, 3]
/// n = len(y); mean = sum(y)/n; sd = sqrt(sum((v-mean)**2 for v in y)/(n-1)); z = [(v-mean)/sd for v in y]
/// def ridge(p, q):
///     r = [1 if a == b else -1/(k-1) for a, b, k in zip(p, q, c)]
///     return 4 + 0.9**2/2*(r[0]+r[1]) + 0.35**2*r[0]*r[1]
/// def gauss(p, q):
///     return 4 + 1.0*exp(-0.8*sum(a != b for a, b in zip(p, q)))
/// for k in (ridge, gauss):
///     K = [[k(p, q)+(0.45**2 if i == j else 0) for j, q in enumerate(X)] for i, p in enumerate(X)]
///     for p in [(1, 2), (1, 1)]:
///         ks = [k(p, q) for q in X]
///         m = sum(a*b for a, b in zip(solve(K, z), ks))
///         v = k(p, p)-sum(a*b for a, b in zip(solve(K, ks), ks))
///         print(mean+sd*m, sd*sqrt(v))
/// ```
#[test]
fn posteriors_are_those_of_an_independent_computation() {
    let golden = [
        (ModelKind::Ridge, [1, 2], 2.9675690748090746, 0.9229516817963505),
        (ModelKind::Ridge, [1, 1], 3.314291169947749, 0.39808033711463864),
        (ModelKind::Gaussian, [1, 2], 2.6801727488039235, 0.7936331679008941),
        (ModelKind::Gaussian, [1, 1], 3.2034046453384075, 0.3855287991126727),
    ];
    for (kind, point, mean, sd) in golden {
        let model = small(kind);
        let belief = model.fitted().unwrap().belief(&Point(point.to_vec()));
        close(belief.mean, mean, 1e-10, "mean");
        close(belief.sd, sd, 1e-10, "SD");
    }
}

/// The covariance of two observations under the ridge: products of features summed by groups.
fn ridge_covariance(
    problem: &Problem,
    scales: &hyper::Scales,
    one: &data::Row,
    two: &data::Row,
) -> f64 {
    let alike: Vec<f64> = problem
        .space
        .tokens()
        .iter()
        .zip(one.point.0.iter().zip(&two.point.0))
        .map(|(token, (a, b))| if a == b { 1.0 } else { -1.0 / (token.choices.len() as f64 - 1.0) })
        .collect();
    let tokens = alike.len() as f64;
    let mains = alike.iter().sum::<f64>() / tokens;
    let mut pairs = 0.0;
    for (i, a) in alike.iter().enumerate() {
        pairs += alike[i + 1..].iter().map(|b| a * b).sum::<f64>();
    }
    pairs /= tokens * (tokens - 1.0) / 2.0;
    let [main, pair] = [scales.function[0].powi(2), scales.function[1].powi(2)];
    let function = data::INTERCEPT + main * mains + pair * pairs;
    let own = match (one.level, two.level) {
        (Some(a), Some(b)) if a == b => data::INTERCEPT + scales.low[a].bias.powi(2) * mains,
        _ => 0.0,
    };
    one.scale * two.scale * function + own
}

/// `log N(targets; 0, covariance)` by elimination without pivots.
fn log_density(mut matrix: Vec<Vec<f64>>, mut targets: Vec<f64>) -> f64 {
    let count = targets.len();
    let mut sum = count as f64 * std::f64::consts::TAU.ln();
    for i in 0..count {
        let (upper, lower) = matrix.split_at_mut(i + 1);
        let (known, unknown) = targets.split_at_mut(i + 1);
        let (row, target) = (&upper[i], known[i]);
        sum += row[i].ln() + target * target / row[i];
        for (other, to) in lower.iter_mut().zip(unknown) {
            let factor = other[i] / row[i];
            *to -= factor * target;
            for (entry, above) in other.iter_mut().zip(row) {
                *entry -= factor * above;
            }
        }
    }
    -0.5 * sum
}

#[test]
fn marginal_likelihoods_are_dense_normal_densities() {
    for (cells, count) in [(1, 60), (2, 30)] {
        let model = mixed(ModelKind::Ridge, cells, count);
        let (data, scales) = (model.data(), model.state.hyper.scales(model.function()));
        let rows = data.rows(&scales);
        let covariance =
            |one: &data::Row, two: &data::Row| ridge_covariance(&model.problem, &scales, one, two);
        let matrix = |covariance: &dyn Fn(&data::Row, &data::Row) -> f64,
                      rows: &[data::Row]|
         -> Vec<Vec<f64>> {
            let row = |(i, one): (usize, &data::Row)| {
                let noise = |j: usize| if i == j { one.noise } else { 0.0 };
                rows.iter().enumerate().map(|(j, two)| covariance(one, two) + noise(j)).collect()
            };
            rows.iter().enumerate().map(row).collect()
        };
        let targets = |rows: &[data::Row]| rows.iter().map(|row| row.target).collect();
        let expected = log_density(matrix(&covariance, &rows), targets(&rows));
        let moments = ridge::Moments::new(&model.problem.space, &data);
        close(moments.evidence(&data, &scales).unwrap(), expected, 1e-7, "ridge");

        let model = mixed(ModelKind::Gaussian, cells, count);
        let (data, scales) = (model.data(), model.state.hyper.scales(model.function()));
        let rows = gaussian::rows_to_fit(&data, &scales);
        let covariance = |one: &data::Row, two: &data::Row| {
            let tokens = one.point.0.iter().zip(&two.point.0).zip(&scales.function[1..]);
            let decay: f64 = tokens.filter(|((a, b), _)| a != b).map(|(_, decay)| decay).sum();
            let alike = (-decay).exp();
            let own = match (one.level, two.level) {
                (Some(a), Some(b)) if a == b => {
                    data::INTERCEPT + scales.low[a].bias.powi(2) * alike
                }
                _ => 0.0,
            };
            let function = data::INTERCEPT + scales.function[0].powi(2) * alike;
            one.scale * two.scale * function + own
        };
        let expected = log_density(matrix(&covariance, &rows), targets(&rows));
        close(
            gaussian::evidence(&rows, &scales, &model.problem.space).unwrap(),
            expected,
            1e-7,
            "Gaussian process",
        );
    }
}

/// The joint density of all rows gives the posterior: a row more with a target of its own changes the density by the density
/// of that target, whose mean and variance are the posterior's.
#[test]
fn posteriors_of_all_fidelities_follow_from_the_densities() {
    for kind in [ModelKind::Ridge, ModelKind::Gaussian] {
        let model = mixed(kind, 1, 40);
        let (mut data, scales) = (model.data(), model.state.hyper.scales(model.function()));
        let density = |data: &Data| match kind {
            ModelKind::Ridge => {
                ridge::Moments::new(&model.problem.space, data).evidence(data, &scales).unwrap()
            }
            ModelKind::Gaussian => {
                gaussian::evidence(&data.rows(&scales), &scales, &model.problem.space).unwrap()
            }
        };
        let without = density(&data);
        for at in [0, 17, 35] {
            let point = model.problem.space.at(at);
            let belief = model.fitted().unwrap().belief(&point);
            for target in [-1.0, 0.5, 2.0] {
                data.levels[2].rows.push((point.clone(), target));
                let found = density(&data) - without;
                data.levels[2].rows.pop();
                let mean = (belief.mean - data.raw(0.0)) / data.unit();
                let variance = (belief.sd / data.unit()).powi(2) + scales.noise.powi(2);
                let expected = -0.5
                    * ((std::f64::consts::TAU * variance).ln()
                        + (target - mean).powi(2) / variance);
                close(found, expected, 1e-7, "density of a new observation");
            }
        }
    }
}

#[test]
fn drawn_functions_have_the_posterior_means_and_covariances() {
    for kind in [ModelKind::Ridge, ModelKind::Gaussian] {
        let model = small(kind);
        let space = &model.problem.space;
        let points: Vec<Point> = (0..6).map(|at| space.at(at)).collect();
        let fitted = model.fitted().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let count = 20_000;
        let draws: Vec<Vec<f64>> = (0..count)
            .map(|_| match fitted {
                Fitted::Ridge(fit) => {
                    let drawn = fit.draw(&mut rng);
                    let data = model.data();
                    points.iter().map(|point| data.raw(drawn.value(point))).collect()
                }
                Fitted::Gaussian(fit) => fit.draw(&points, &mut rng).unwrap(),
            })
            .collect();
        let mean =
            |f: &dyn Fn(&[f64]) -> f64| draws.iter().map(|d| f(d)).sum::<f64>() / count as f64;
        for (i, point) in points.iter().enumerate() {
            let belief = fitted.belief(point);
            let found = mean(&|draw| draw[i]);
            close(found, belief.mean, 5.0 * belief.sd / (count as f64).sqrt(), "mean of draws");
            let variance = mean(&|draw| (draw[i] - found).powi(2));
            close(variance / belief.sd.powi(2), 1.0, 0.05, "variance of draws");
        }
        // A function is one function: a difference of two points has the variance that the model gives it, which is not the
        // sum of theirs. It follows from the posterior after an observation of one of them without noise.
        let (a, b) = (0, 1);
        let (one, two) = (fitted.belief(&points[a]), fitted.belief(&points[b]));
        let [ma, mb] = [mean(&|draw| draw[a]), mean(&|draw| draw[b])];
        let found = mean(&|draw| (draw[a] - ma) * (draw[b] - mb));
        let (mut data, scales) = (model.data(), model.state.hyper.scales(model.function()));
        let (unit, noise) = (data.unit(), scales.noise.powi(2));
        // Observing a with the noise n shrinks the variance of b by cov² / (var a + n).
        data.levels[0].rows.push((points[a].clone(), 0.0));
        let after = match kind {
            ModelKind::Ridge => {
                ridge::Moments::new(space, &data).fit(&data, &scales).unwrap().belief(&points[b]).sd
            }
            ModelKind::Gaussian => {
                GaussianFit::new(space, &data, &scales).unwrap().belief(&points[b]).sd
            }
        };
        let shrunk = two.sd.powi(2) - after.powi(2);
        let expected = (shrunk * (one.sd.powi(2) + noise * unit * unit)).sqrt();
        close(found.abs() / expected, 1.0, 0.1, "covariance of draws");
    }
}

#[test]
fn a_fit_finds_the_hyperparameters_of_its_data() {
    let fidelities = [(1.0, true), (2.0, true)];
    let mut landscape = Landscape::new(&problem(Space::of_archs(2), &fidelities, 1e9), 8);
    let mut model = Surrogate::new(landscape.problem.clone(), ModelKind::Ridge).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for _ in 0..400 {
        let point = landscape.problem.space.draw(&mut rng);
        for fidelity in [0, 1] {
            let query = Query { point: point.clone(), fidelity, repeat: 0 };
            model.tell(&landscape.evaluate(&query).unwrap()).unwrap();
        }
    }
    model.climb(100).unwrap();
    let (scales, unit) = (model.state.hyper.scales(2), model.data().unit());
    // Mains 0.83, pairs 0.10; noise 0.27, and 0.07 that neither explains. The lower length: 0.8 F, bias 0.6, noise 0.2.
    close(unit * scales.function[0], 0.83f64.sqrt(), 0.35, "mains");
    close(unit * scales.function[1], 0.10f64.sqrt(), 0.12, "pairs");
    close(unit * scales.noise, 0.34f64.sqrt(), 0.06, "noise");
    close(scales.low[0].slope, 0.8, 0.06, "slope");
    close(unit * scales.low[0].noise, 0.32, 0.08, "noise of the lower length");
    close(unit * scales.low[0].bias, 0.6 * 0.83f64.sqrt(), 0.25, "bias of the lower length");
}

#[test]
fn main_effects_come_with_their_uncertainty() {
    let problem = problem(Space::of_archs(1), &[(1.0, true)], 1e9);
    let mut model = Surrogate::new(problem.clone(), ModelKind::Ridge).unwrap();
    // The third token's choices add 0, 2, 4: effects −2, 0, 2.
    for repeat in 0..4 {
        for at in 0..36 {
            let point = problem.space.at(at);
            let value = 2.0 * f64::from(point.0[2]) + if repeat % 2 == 0 { 0.5 } else { -0.5 };
            model.tell(&observation(&query(point, 0, repeat), Some(value))).unwrap();
        }
    }
    let Fitted::Ridge(fit) = model.fitted().unwrap() else { panic!("not a ridge") };
    for (token, choices) in fit.main_effects().iter().enumerate() {
        for (choice, effect) in choices.iter().enumerate() {
            let expected = if token == 2 { 2.0 * choice as f64 - 2.0 } else { 0.0 };
            close(effect.mean, expected, 0.1, "main effect");
            // Of 48 or 72 observations with noise 0.5: about 0.5 / √72 · √(c − 1) and less.
            assert!((0.01..0.12).contains(&effect.sd), "{token} {choice}: {}", effect.sd);
        }
    }
    assert_eq!(model.fitted().unwrap().best(&problem.space).unwrap().0[2], 2);
}

#[test]
fn a_pick_among_all_may_be_a_point_that_nobody_evaluated() {
    let problem = problem(Space::of_archs(2), &[(1.0, true)], 1e9);
    let mut landscape = Landscape::new(&problem, 1);
    for kind in [ModelKind::Ridge, ModelKind::Gaussian] {
        let mut model = Surrogate::new(problem.clone(), kind).unwrap();
        assert_eq!(model.pick(Among::All).unwrap(), None);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut seen = BTreeSet::new();
        for _ in 0..80 {
            let point = problem.space.draw(&mut rng);
            let query = Query { point: point.clone(), fidelity: 0, repeat: 0 };
            model.tell(&landscape.evaluate(&query).unwrap()).unwrap();
            seen.insert(point);
        }
        let [evaluated, all] =
            [Among::Evaluated, Among::All].map(|among| model.pick(among).unwrap().unwrap());
        let fitted = model.fitted().unwrap();
        let means = (0..problem.space.count()).map(|at| fitted.mean(&problem.space.at(at)));
        assert_eq!(all.mean, means.fold(f64::NEG_INFINITY, f64::max));
        let means = seen.iter().map(|point| fitted.mean(point));
        assert_eq!(evaluated.mean, means.fold(f64::NEG_INFINITY, f64::max));
        assert!(seen.contains(&evaluated.point) && !seen.contains(&all.point));
        assert!(all.sd.unwrap() > evaluated.sd.unwrap());
    }
}

#[test]
fn a_pick_among_evaluated_points_is_of_the_last_fidelity_with_a_value() {
    for kind in [ModelKind::Ridge, ModelKind::Gaussian] {
        let problem = problem(Space::of_archs(1), WARMED, 1e9);
        let mut model = Surrogate::new(problem.clone(), kind).unwrap();
        let mut tell = |at: usize, fidelity: usize, value: Option<f64>| {
            let query = query(problem.space.at(at), fidelity, 0);
            model.tell(&observation(&query, value)).unwrap();
            model.pick(Among::Evaluated).unwrap().map(|belief| belief.point)
        };
        // Shared weights praise the first; the second is trained, to a low value; the third diverges at the end.
        assert_eq!(tell(0, 0, Some(9.0)), Some(problem.space.at(0)));
        assert_eq!(tell(20, 1, Some(-3.0)), Some(problem.space.at(20)));
        assert_eq!(tell(30, 3, None), Some(problem.space.at(20)));
    }
}

#[test]
fn what_is_not_of_the_problem_is_an_error() {
    let problem = problem(Space::of_archs(1), &[(1.0, true)], 1e9);
    let mut model = Surrogate::new(problem.clone(), ModelKind::Ridge).unwrap();
    let point = problem.space.at(0);
    let error = model.tell(&observation(&query(point, 1, 0), Some(1.0))).unwrap_err().to_string();
    assert!(error.contains("one below 1, found 1"), "{error}");
    let error =
        model.tell(&observation(&query(Point(vec![9; 4]), 0, 0), None)).unwrap_err().to_string();
    assert!(error.contains("[9, 9, 9, 9]"), "{error}");
    let state = Surrogate::new(problem.clone(), ModelKind::Gaussian).unwrap().state().clone();
    let error = Surrogate::restore(problem, ModelKind::Ridge, state).unwrap_err().to_string();
    assert!(error.contains("3 of them"), "{error}");
}
