//! These tests compare the closed forms with the published figures and with the shapes of the released state dicts.

use super::*;
use crate::{TokenOrder, stage_tokens};

const PAPER: GeneratorShape = GeneratorShape { latent: 128, width: 256, bottom: 4 };

#[test]
fn published_parameters_of_derived_generators() {
    for (arch, params) in
        [(Arch::AUTOGAN_A, 4_405_251), (Arch::AUTOGAN_B, 4_471_043), (Arch::AUTOGAN_C, 4_406_275)]
    {
        assert_eq!(derived_generator_cost(&arch, &PAPER).params, params);
    }
    let stl = GeneratorShape { bottom: 6, ..PAPER };
    assert_eq!(derived_generator_cost(&Arch::AUTOGAN_A, &stl).params, 5_065_731);
}

#[test]
fn published_multiply_accumulates() {
    let macs = |arch, shape| derived_generator_cost(arch, shape).macs;
    assert_eq!(macs(&Arch::AUTOGAN_A, &PAPER), 1_765_015_552);
    // Published to four digits: 3.971, 1.832 and 0.272 GMACs.
    let stl = GeneratorShape { bottom: 6, ..PAPER };
    let rounded = |macs: u64| (macs + 500_000) / 1_000_000;
    assert_eq!(rounded(macs(&Arch::AUTOGAN_A, &stl)), 3_971);
    assert_eq!(rounded(macs(&Arch::AUTOGAN_B, &PAPER)), 1_832);
    assert_eq!(rounded(discriminator_cost(2, 128, 4).macs), 272);
}

#[test]
fn published_parameters_of_supernet_and_discriminator() {
    for stage in 0..MAX_CELLS {
        assert_eq!(supernet_cost(stage, &PAPER).params, 14_315_267);
        let narrow = GeneratorShape { width: 128, ..PAPER };
        assert_eq!(supernet_cost(stage, &narrow).params, 3_716_995);
        assert_eq!(discriminator_cost(stage, 128, 4).params, 1_053_824);
        assert_eq!(discriminator_cost(stage, 64, 6).params, 264_768);
    }
}

#[test]
fn published_parameters_of_the_controller() {
    for order in [TokenOrder::SkipsFirst, TokenOrder::Released] {
        let params: Vec<u64> = (0..MAX_CELLS)
            .map(|stage| controller_params(&stage_tokens(stage, order), 100))
            .collect();
        // Two binary skip tokens have as many values as one 4-way mask.
        assert_eq!(params, [82_810, 83_212, 83_614]);
    }
}

#[test]
fn parts_add_up_and_follow_the_choices() {
    let breakdown = derived_generator_breakdown(&Arch::E2GAN, &PAPER);
    assert_eq!(breakdown.total(), derived_generator_cost(&Arch::E2GAN, &PAPER));
    let [first, second, third] = breakdown.cells.as_slice() else {
        panic!("three cells");
    };
    let square = 256 * 256_u64;
    // Cell 1 (8x8): two 3x3 with batch norm; no skip; 1x1 shortcut.
    assert_eq!(first.halves.params, 2 * (9 * square + 256 + 512));
    assert_eq!(first.halves.macs, 2 * 9 * square * 64);
    assert_eq!(first.skips, Cost::ZERO);
    assert_eq!(first.shortcut.params, square + 256);
    // Cell 2 (16x16) upsamples by deconvolution, but no skip comes in.
    assert_eq!(second.halves.macs, 2 * 9 * square * 256 + 4 * square * 64);
    assert_eq!(second.shortcut.macs, square * 256 + 4 * square * 64);
    assert_eq!(second.skips, Cost::ZERO);
    // Cell 3 (32x32) takes cell 1 only, by interpolation.
    assert_eq!(third.skips.params, square + 256);
    assert_eq!(third.skips.macs, square * 1024);
}

#[test]
fn skips_by_deconvolution_hold_one_for_each_doubling() {
    let cell: Arch = "0 0 0 0  0 0 0 0 0  0 0 2 0 2".parse().unwrap();
    let across_two = derived_generator_breakdown(&cell, &PAPER).cells[2].skips;
    let square = 256 * 256_u64;
    assert_eq!(across_two.params, 2 * (4 * square + 256) + square + 256);
    // From 8x8 to 16x16, to 32x32, and 1x1 there.
    assert_eq!(across_two.macs, 4 * square * 64 + 4 * square * 256 + square * 1024);
    let cell: Arch = "0 0 0 0  0 0 0 0 0  0 0 2 0 1".parse().unwrap();
    let across_one = derived_generator_breakdown(&cell, &PAPER).cells[2].skips;
    assert_eq!(across_one.macs, 4 * square * 256 + square * 1024);
}

#[test]
fn discriminator_runs_only_the_blocks_of_its_stage() {
    let square = |side: u64| 9 * 64 * 64 * side * side;
    // At 8x8: block 1, then block 4 at 4x4.
    let expected = 27 * 64 * 64 + square(8) + 3 * 64 * 16 + 2 * square(4) + 64;
    assert_eq!(discriminator_cost(0, 64, 4).macs, expected);
    // At 16x16: block 1, block 2, then block 4 at 4x4.
    let expected = 27 * 64 * 256
        + square(16)
        + 3 * 64 * 64
        + 2 * square(8)
        + 64 * 64 * 64
        + 2 * square(4)
        + 64;
    assert_eq!(discriminator_cost(1, 64, 4).macs, expected);
}

#[test]
fn mean_macs_of_the_supernet_are_the_mean_over_its_architectures() {
    let shape = GeneratorShape { latent: 12, width: 16, bottom: 4 };
    let (sum, archs) = Arch::enumerate(1).fold((0, 0), |(sum, archs), arch| {
        (sum + derived_generator_cost(&arch, &shape).macs, archs + 1)
    });
    let mean = supernet_cost(1, &shape).macs;
    // Each cell's mean is rounded down once.
    assert!(mean <= sum / archs && sum / archs - mean <= 2);
}

#[test]
fn the_dearest_cost_is_the_largest_of_all() {
    for stage in 0..MAX_CELLS {
        let costs = || Arch::enumerate(stage).map(|arch| derived_generator_cost(&arch, &PAPER));
        let params = costs().map(|cost| cost.params).max().unwrap();
        let macs = costs().map(|cost| cost.macs).max().unwrap();
        assert_eq!(dearest_cost(stage, &PAPER), Cost { params, macs });
    }
}
