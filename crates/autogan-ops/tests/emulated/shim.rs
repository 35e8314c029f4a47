//! The emulation itself: launches that no GPU would take are errors.

use autogan_testing::kernels::{Argument, launch};

use super::case::cases;

#[test]
fn a_block_above_the_bound_is_an_error() {
    cases(|case| {
        let mut y = case.fresh::<f32>(1);
        let arguments: [Argument; 3] = [y.input(), y.output(), 1usize.into()];
        let error = launch("relu_forward", [1, 1, 1], 257, &arguments, 0);
        assert_eq!(error.as_deref(), Some("a block of more threads than the kernel's bound"));
    });
}

#[test]
fn a_shuffle_among_half_a_warp_is_an_error() {
    cases(|case| {
        let mut y = case.fresh::<f32>(1);
        let x = case.memory(&[1.0f32; 40]);
        let arguments =
            [x.input(), y.output(), 1usize.into(), 40usize.into(), Argument::from(1.0f32)];
        let error = launch("global_pool_forward", [1, 1, 1], 16, &arguments, 0);
        assert_eq!(error.as_deref(), Some("a shuffle among less than a whole warp"));
    });
}

#[test]
fn a_missing_barrier_shows() {
    cases(|case| {
        let x = case.floats(64);
        let (mx, mut my) = (case.memory(&x), case.fresh::<f32>(64));
        let backwards: Vec<f32> = x.iter().rev().copied().collect();
        case.launch("reversed", [1, 1, 1], 64, &[mx.input(), my.output(), true.into()]);
        assert_eq!(my.read(), backwards);
        case.launch("reversed", [1, 1, 1], 64, &[mx.input(), my.output(), false.into()]);
        assert!(my.read().iter().any(|v| v.is_nan()), "case {}", case.seed);
    });
}

#[test]
fn a_barrier_that_some_never_reach_is_an_error() {
    cases(|case| {
        let mut y = case.fresh::<f32>(64);
        let some = case.size(63);
        let error = launch("some_wait", [1, 1, 1], 64, &[y.output(), some.into()], 0);
        let expected = "some threads wait at a barrier that others never reach";
        assert_eq!(error.as_deref(), Some(expected));
        case.launch("some_wait", [1, 1, 1], 64, &[y.output(), 64usize.into()]);
    });
}
