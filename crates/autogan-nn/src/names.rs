//! This module translates between our tensor names and those of the released derived models.
//!
//! Our networks use the released *supernet's* names; a derived network has some of them. The released derived models
//! (`autogan_cifar10_{a,b,c}`) name a cell's convolutions `c1`, `c2` and its norms `n1`, `n2`; `c_sc`, `skip_in_ops.i`,
//! `l1` and `to_rgb.{0,2}` are the same in both.

use autogan_space::{Arch, Conv};

/// Parts of a half: ours, and the released derived name without its number.
const PARTS: [(&str, &str); 2] = [("conv", "c"), ("bn", "n")];

/// The released derived model's name of one of our tensors: `cell1.pre_conv2.bn.weight` is `cell1.n2.weight`.
///
/// Names that are the same in both, or that the released derived models have no word for, stay as they are.
pub fn to_released_derived(name: &str) -> String {
    let renamed = || {
        let (cell, rest) = name.split_once('.')?;
        cell.strip_prefix("cell")?;
        let (half, rest) = rest.split_once('.')?;
        let number = half.strip_prefix("post_conv").or_else(|| half.strip_prefix("pre_conv"))?;
        let (part, rest) = rest.split_once('.')?;
        let (_, short) = PARTS.iter().find(|(ours, _)| *ours == part)?;
        Some(format!("{cell}.{short}{number}.{rest}"))
    };
    renamed().unwrap_or_else(|| name.to_owned())
}

/// Our name of a tensor of a released derived model; `arch` says whether a cell is pre- or post-activation.
///
/// Names that are the same in both, and names of no released tensor, stay as they are.
pub fn from_released_derived(name: &str, arch: &Arch) -> String {
    let renamed = || {
        let (cell, rest) = name.split_once('.')?;
        let index = cell.strip_prefix("cell")?.parse::<usize>().ok()?.checked_sub(1)?;
        let kind = match arch.cells().get(index)?.conv {
            Conv::Post => "post",
            Conv::Pre => "pre",
        };
        let (short, rest) = rest.split_once('.')?;
        let number = short.get(1..).filter(|n| matches!(*n, "1" | "2"))?;
        let (ours, _) = PARTS.iter().find(|(_, released)| short.get(..1) == Some(released))?;
        Some(format!("{cell}.{kind}_conv{number}.{ours}.{rest}"))
    };
    renamed().unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_derived_names_and_back() {
        let c = Arch::AUTOGAN_C;
        for (ours, released) in [
            ("cell1.pre_conv1.conv.weight", "cell1.c1.weight"),
            ("cell1.pre_conv2.bn.running_var", "cell1.n2.running_var"),
            ("cell3.pre_conv2.conv.bias", "cell3.c2.bias"),
            ("cell2.c_sc.weight", "cell2.c_sc.weight"),
            ("cell3.skip_in_ops.1.bias", "cell3.skip_in_ops.1.bias"),
            ("l1.weight", "l1.weight"),
            ("to_rgb.0.running_mean", "to_rgb.0.running_mean"),
        ] {
            assert_eq!(to_released_derived(ours), released);
            assert_eq!(from_released_derived(released, &c), ours);
        }
    }

    #[test]
    fn the_architecture_says_which_half_is_meant() {
        assert_eq!(
            from_released_derived("cell2.c1.weight", &Arch::E2GAN),
            "cell2.post_conv1.conv.weight"
        );
        for name in ["cell4.c1.weight", "cell1.c3.weight", "cell1.c_sc.weight", "cellx.c1.weight"] {
            assert_eq!(from_released_derived(name, &Arch::E2GAN), name);
        }
    }
}
