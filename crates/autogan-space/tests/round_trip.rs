//! Every written form of every architecture can be read back, and errors name the fault of a wrong form.

use autogan_space::{Arch, CellArch, SpaceError, count_archs};
use proptest::prelude::*;

/// An architecture of any stage.
fn archs() -> impl Strategy<Value = Arch> {
    (0_usize..3)
        .prop_flat_map(|stage| (Just(stage), 0..count_archs(stage)))
        .prop_map(|(stage, n)| Arch::nth(stage, n).expect("below the count"))
}

fn error(text: &str) -> String {
    let error = text.parse::<Arch>().expect_err("text that is no architecture");
    error.to_string()
}

proptest! {
    #[test]
    fn released_vector_round_trips(arch in archs()) {
        let numbers = arch.to_released();
        prop_assert_eq!(numbers.len(), [4, 9, 14][arch.stage()]);
        prop_assert_eq!(&Arch::from_released(&numbers).unwrap(), &arch);
        prop_assert_eq!(&arch.to_string().parse::<Arch>().unwrap(), &arch);
        let commas = arch.to_string().replace(' ', ",");
        prop_assert_eq!(&commas.parse::<Arch>().unwrap(), &arch);
        let spread = format!("  [{}]\n", commas.replace(',', " ,  "));
        prop_assert_eq!(&spread.parse::<Arch>().unwrap(), &arch);
    }

    #[test]
    fn named_form_round_trips(arch in archs()) {
        let named = arch.named();
        prop_assert_eq!(&named.parse::<Arch>().unwrap(), &arch);
        let tight = named.replace(' ', "");
        prop_assert_eq!(&tight.parse::<Arch>().unwrap(), &arch);
    }

    #[test]
    fn json_round_trips(arch in archs()) {
        let json = serde_json::to_string(&arch).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Arch>(&json).unwrap(), &arch);
        let cells = serde_json::to_string(arch.cells()).unwrap();
        let cells: Vec<CellArch> = serde_json::from_str(&cells).unwrap();
        prop_assert_eq!(&Arch::new(cells).unwrap(), &arch);
    }

    #[test]
    fn a_number_out_of_range_is_named_by_its_position(
        arch in archs(),
        at in any::<prop::sample::Index>(),
        wrong in prop_oneof![-9_i64..0, 4_i64..99],
    ) {
        let mut numbers: Vec<i64> = arch.to_released().into_iter().map(i64::from).collect();
        let at = at.index(numbers.len());
        numbers[at] = wrong;
        match Arch::from_released(&numbers) {
            Err(SpaceError::Number { position, found, .. }) => {
                prop_assert_eq!(position, at + 1);
                prop_assert_eq!(found, wrong.to_string());
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn other_lengths_are_refused(numbers in prop::collection::vec(0_i64..2, 0..20)) {
        let possible = [4, 9, 14].contains(&numbers.len());
        prop_assert_eq!(Arch::from_released(&numbers).is_ok(), possible);
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = text.parse::<Arch>();
    }

    #[test]
    fn no_text_like_a_name_panics(text in "[a-z0-9+/ -]{0,40}") {
        if let Ok(arch) = text.parse::<Arch>() {
            prop_assert_eq!(arch.named().parse::<Arch>().unwrap(), arch);
        }
    }
}

#[test]
fn a_wrong_number_says_which_and_what_it_may_be() {
    assert_eq!(
        error("1 0 1 1 1 3 0 1 1"),
        "number 6 (norm of cell 2) is 3; it may be 0 (none), 1 (batch) or 2 (instance)"
    );
    assert_eq!(error("2 0 1 1"), "number 1 (conv of cell 1) is 2; it may be 0 (post) or 1 (pre)");
    assert_eq!(
        error("1 0 1 1 1 0 0 1 2"),
        "number 9 (skip mask of cell 2) is 2; it may be 0 (none) or 1 (cell 1)"
    );
    assert_eq!(
        error("1,0,1,1,1,0,0,1,1,1,0,1,0,4"),
        "number 14 (skip mask of cell 3) is 4; it may be 0 (none), 1 (cell 2), 2 (cell 1) or 3 \
         (cells 1 and 2)"
    );
    assert_eq!(
        error("1 0 x 1"),
        "number 3 (upsampling of cell 1) is `x`; it may be 0 (bilinear), 1 (nearest) or 2 (deconv)"
    );
    assert!(error("-1 0 0 1").starts_with("number 1 (conv of cell 1) is -1"));
}

#[test]
fn a_wrong_length_says_which_lengths_there_are() {
    for text in ["1 0 1", "1 0 1 1 1", "[]", "1 0 1 1 1 0 0 1 1 1 0 1 0 3 0"] {
        assert!(
            error(text).starts_with("an architecture vector has 4, 9 or 14 numbers"),
            "{text}: {}",
            error(text)
        );
    }
    assert!(error("1 0 1").ends_with("found 3"));
}

#[test]
fn a_wrong_name_says_which_part_and_what_it_may_be() {
    assert_eq!(
        error("pre-none-nearest-sc / mid-none-nearest"),
        "cell 2: `mid` is no convolution type; it may be post or pre"
    );
    assert_eq!(
        error("pre-layer-nearest"),
        "cell 1: `layer` is no normalisation; it may be none, batch or instance"
    );
    assert_eq!(
        error("pre-none-bicubic"),
        "cell 1: `bicubic` is no upsampling; it may be bilinear, nearest or deconv"
    );
    assert_eq!(
        error("pre-none-nearest-skip"),
        "cell 1: `skip` is no shortcut; it may be sc or absent"
    );
    assert_eq!(
        error("pre-none-nearest / pre-none"),
        "cell 2: `pre-none` is no cell; it may be conv-norm-upsampling or conv-norm-upsampling-sc"
    );
}

#[test]
fn skips_are_from_earlier_cells_each_once() {
    let cells =
        |skips: &str| format!("pre-none-nearest / pre-none-nearest / pre-none-nearest{skips}");
    assert_eq!(cells("+2+1").parse::<Arch>().unwrap(), cells("+1+2").parse::<Arch>().unwrap());
    for wrong in ["+0", "+3", "+1+1", "+", "+x"] {
        let message = error(&cells(wrong));
        assert!(message.ends_with("it may be +1 or +2, each once"), "{message}");
    }
    assert_eq!(
        error("pre-none-nearest+1"),
        "cell 1: `+1` is no skip that is left; it may be absent (there is no earlier cell)"
    );
}

#[test]
fn text_that_is_no_form_at_all_is_told_the_forms() {
    for text in ["", "nonsense", "autogan-d"] {
        let message = error(text);
        assert!(message.contains("released vector such as"), "{message}");
        assert!(message.contains("autogan-a, autogan-b, autogan-c or e2gan"), "{message}");
    }
    let four = ["pre-none-nearest"; 4];
    assert_eq!(error(&four.join("/")), "an architecture has 1 to 3 cells, found 4");
}
