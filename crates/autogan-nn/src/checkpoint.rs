//! Named tensors of the networks in and out of an [`Archive`], strictly.
//!
//! Every tensor of the network must be there in its shape and no other may be, except that
//! `num_batches_tracked`, which old checkpoints lack, may be missing. Sizes follow from the
//! weights: [`generator_shape`], [`discriminator_width`]. Where a checkpoint holds several
//! dictionaries, [`Archive::pick`] takes one out first.

use std::collections::BTreeSet;

use autogan_space::{Arch, GeneratorShape};
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

use crate::names::{from_released_derived, to_released_derived};
use crate::params::{Params, assign};
use crate::{
    Discriminator, DiscriminatorConfig, DiscriminatorInit, Generator, GeneratorConfig, NnError,
    Result, Rules,
};

/// Which names the tensors of a derived generator get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Those of the released supernet, which are ours.
    Supernet,
    /// Those of the released derived models (`cell1.c1.weight`, …).
    ReleasedDerived,
}

/// Adds copies of a network's tensors to `archive` under `prefix` (`""`, or ending in `.`).
///
/// # Errors
/// When a tensor cannot be copied to the CPU.
pub fn save(params: &Params, archive: &mut Archive, prefix: &str, names: Names) -> Result<()> {
    for (name, var) in params.all() {
        let name = match names {
            Names::Supernet => name.to_owned(),
            Names::ReleasedDerived => to_released_derived(name),
        };
        let value = var.as_detached_tensor().copy()?.to_device(&Device::Cpu)?;
        archive.insert(format!("{prefix}{name}"), value);
    }
    Ok(())
}

/// Fills a network from the tensors of `archive` whose names start with `prefix`; on an error
/// nothing is changed.
///
/// # Errors
/// When tensors are missing, unexpected or of another shape; all of them are named.
pub fn load(params: &Params, archive: &Archive, prefix: &str) -> Result<()> {
    fill(params, &entries(archive, prefix, str::to_owned))
}

/// [`load`] for a derived generator, from the names of the released derived models or from ours.
///
/// # Errors
/// As [`load`].
pub fn load_derived(params: &Params, archive: &Archive, prefix: &str, arch: &Arch) -> Result<()> {
    fill(params, &entries(archive, prefix, |name| from_released_derived(name, arch)))
}

/// The prefixes under which `archive` holds a generator, averaged ones (`ema`, `avg`) first, otherwise
/// in the archive's order: `[""]` for a plain state dict, `["avg_gen_state_dict.", "gen_state_dict."]`
/// for a released training checkpoint. Empty when there is none.
pub fn generator_prefixes(archive: &Archive) -> Vec<String> {
    let holds = |prefix: &&str| archive.get(&format!("{prefix}to_rgb.2.weight")).is_some();
    let mut prefixes: Vec<String> = archive
        .names()
        .filter_map(|name| name.strip_suffix("l1.weight"))
        .filter(holds)
        .map(str::to_owned)
        .collect();
    prefixes.sort_by_key(|prefix| !(prefix.contains("ema") || prefix.contains("avg")));
    prefixes
}

/// Whether the generator under `prefix` is a supernet: only a supernet's first cell has both kinds
/// of halves.
pub fn is_supernet(archive: &Archive, prefix: &str) -> bool {
    ["post", "pre"]
        .iter()
        .all(|kind| archive.get(&format!("{prefix}cell1.{kind}_conv1.conv.weight")).is_some())
}

/// The sizes of the generator under `prefix`, from its first and last weights.
///
/// # Errors
/// When `l1.weight` or `to_rgb.2.weight` is missing or of an impossible shape.
pub fn generator_shape(archive: &Archive, prefix: &str) -> Result<GeneratorShape> {
    let first = dims(archive, &format!("{prefix}l1.weight"))?;
    let last = dims(archive, &format!("{prefix}to_rgb.2.weight"))?;
    let (&[outputs, latent], &[3, width, 3, 3]) = (first, last) else {
        return Err(NnError::Infer {
            reason: format!(
                "expected l1.weight as [width·bottom², latent] and to_rgb.2.weight as \
                 [3, width, 3, 3], found {first:?} and {last:?}"
            ),
        });
    };
    let bottom = outputs.checked_div(width).map_or(0, usize::isqrt);
    if bottom == 0 || width * bottom * bottom != outputs {
        return Err(NnError::Infer {
            reason: format!("l1.weight has {outputs} rows, which is no square times width {width}"),
        });
    }
    Ok(GeneratorShape { latent, width, bottom })
}

/// The width of the discriminator under `prefix`.
///
/// # Errors
/// When `l5.weight_orig` is missing or not `[1, width]`.
pub fn discriminator_width(archive: &Archive, prefix: &str) -> Result<usize> {
    match dims(archive, &format!("{prefix}l5.weight_orig"))? {
        &[1, width] => Ok(width),
        found => Err(NnError::Infer {
            reason: format!("expected l5.weight_orig as [1, width], found {found:?}"),
        }),
    }
}

/// The generator under `prefix`, with sizes from its weights: a supernet, or the derived network of
/// `arch`.
///
/// `arch` is needed for a derived network only. Checkpoints of the released code want
/// [`Rules::RELEASED`].
///
/// # Errors
/// When sizes cannot be read, when a derived network comes without `arch`, or as [`load`].
pub fn read_generator(
    archive: &Archive,
    prefix: &str,
    arch: Option<&Arch>,
    rules: Rules,
    dtype: DType,
    device: &Device,
) -> Result<Generator> {
    let GeneratorShape { latent, width, bottom } = generator_shape(archive, prefix)?;
    let config = GeneratorConfig { latent, width, bottom, rules };
    if is_supernet(archive, prefix) {
        let net = Generator::build(&config, None, dtype, device)?;
        load(net.params(), archive, prefix)?;
        return Ok(net);
    }
    let arch = arch.ok_or_else(|| NnError::Infer {
        reason: "this is a derived generator; name its architecture".to_owned(),
    })?;
    let net = Generator::build(&config, Some(arch), dtype, device)?;
    load_derived(net.params(), archive, prefix, arch)?;
    Ok(net)
}

/// The discriminator under `prefix`, with its width from its weights.
///
/// # Errors
/// When the width cannot be read, or as [`load`].
pub fn read_discriminator(
    archive: &Archive,
    prefix: &str,
    dtype: DType,
    device: &Device,
) -> Result<Discriminator> {
    let config = DiscriminatorConfig {
        width: discriminator_width(archive, prefix)?,
        init: DiscriminatorInit::Xavier,
    };
    let net = Discriminator::build(&config, dtype, device)?;
    load(net.params(), archive, prefix)?;
    Ok(net)
}

/// Tensors under `prefix` with their names as the network has them.
fn entries<'a>(
    archive: &'a Archive,
    prefix: &str,
    rename: impl Fn(&str) -> String,
) -> Vec<(String, &'a Tensor)> {
    archive
        .iter()
        .filter_map(|(name, tensor)| Some((rename(name.strip_prefix(prefix)?), tensor)))
        .collect()
}

fn dims<'a>(archive: &'a Archive, name: &str) -> Result<&'a [usize]> {
    Ok(archive.require(name)?.dims())
}

fn fill(params: &Params, entries: &[(String, &Tensor)]) -> Result<()> {
    let mut missing: BTreeSet<&str> = params
        .all()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !name.ends_with(".num_batches_tracked"))
        .collect();
    let (mut unexpected, mut mismatched, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for (name, tensor) in entries {
        match params.get(name) {
            None => unexpected.push(name.clone()),
            Some(var) => {
                missing.remove(name.as_str());
                if var.dims() == tensor.dims() {
                    found.push((var, *tensor));
                } else {
                    let (expected, got) = (var.dims(), tensor.dims());
                    mismatched.push(format!("{name}: expected {expected:?}, found {got:?}"));
                }
            }
        }
    }
    if !(missing.is_empty() && unexpected.is_empty() && mismatched.is_empty()) {
        let missing = missing.into_iter().map(str::to_owned).collect();
        return Err(NnError::Load { missing, unexpected, mismatched });
    }
    for (var, tensor) in found {
        assign(var, tensor)?;
    }
    Ok(())
}
