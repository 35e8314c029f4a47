//! This module reads networks from an [`Archive`] and writes them to one, under our names or those of released models.
//!
//! Loading is strict ([`Params::load`]). The sizes of a network are read from its weights: [`generator_shape`],
//! [`discriminator_width`]. Where a checkpoint holds several dictionaries, [`find_generator`] says which one to load, and
//! [`Archive::pick`] takes one out.

use autogan_space::{Arch, GeneratorShape};
use autogan_weights::{Archive, Params};
use candle_core::{DType, Device};

use crate::names::{from_released_derived, to_released_derived};
use crate::{
    Discriminator, DiscriminatorConfig, DiscriminatorInit, Generator, GeneratorConfig, NnError,
    Result, Rules,
};

/// The names that the tensors of a derived generator get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// The names of the released supernet, which are ours.
    Supernet,
    /// The names of the released derived models (`cell1.c1.weight`, …).
    ReleasedDerived,
}

/// Adds copies of a network's tensors to `archive` under `prefix` (`""`, or ending in `.`).
///
/// # Errors
/// When a tensor cannot be copied to the CPU.
pub fn save(params: &Params, archive: &mut Archive, prefix: &str, names: Names) -> Result<()> {
    let rename = match names {
        Names::Supernet => str::to_owned,
        Names::ReleasedDerived => to_released_derived,
    };
    Ok(params.save(archive, prefix, rename)?)
}

/// [`Params::load`] for a derived generator, from the names of the released derived models or from ours.
fn load_derived(params: &Params, archive: &Archive, prefix: &str, arch: &Arch) -> Result<()> {
    let ours = |name: &str| from_released_derived(name, arch);
    let mut names = archive.names().filter_map(|name| name.strip_prefix(prefix));
    let released = names.any(|name| ours(name) != name);
    let theirs = if released { to_released_derived } else { str::to_owned };
    Ok(params.load_renamed(archive, prefix, ours, theirs)?)
}

/// The prefix of the generator that is to be used: the averaged one where there are several.
///
/// A dictionary that holds only a part of a generator is not passed over for a whole one.
///
/// # Errors
/// When there is none, or the first of them lacks its first or its last weights.
pub fn find_generator(archive: &Archive) -> Result<String> {
    const PARTS: [&str; 3] = ["l1.", "cell1.", "to_rgb."];
    let mut found: Vec<(&str, [bool; 3])> = Vec::new();
    for name in archive.names() {
        let at = PARTS.iter().enumerate().find_map(|(part, begin)| {
            let mut places = name.match_indices(begin).map(|(at, _)| &name[..at]);
            Some((part, places.find(|prefix| prefix.is_empty() || prefix.ends_with('.'))?))
        });
        let Some((part, prefix)) = at else { continue };
        match found.iter_mut().find(|(other, _)| *other == prefix) {
            Some((_, parts)) => parts[part] = true,
            None => {
                let mut parts = [false; 3];
                parts[part] = true;
                found.push((prefix, parts));
            }
        }
    }
    // One part alone may be another network's.
    found.retain(|(_, parts)| parts.iter().filter(|there| **there).count() >= 2);
    let averaged = found.iter().find(|(prefix, _)| is_averaged(prefix));
    let (prefix, _) = averaged.or(found.first()).ok_or_else(|| {
        NnError::Infer(
            "the file holds no generator: there is no l1.weight beside to_rgb.2.weight".into(),
        )
    })?;
    generator_shape(archive, prefix)?;
    Ok((*prefix).to_owned())
}

fn is_averaged(prefix: &str) -> bool {
    prefix.contains("ema") || prefix.contains("avg")
}

/// Whether the generator under `prefix` is a supernet: only a supernet's first cell has both kinds of halves.
pub fn is_supernet(archive: &Archive, prefix: &str) -> bool {
    ["post_", "pre_"].iter().all(|kind| {
        let begin = format!("{prefix}cell1.{kind}");
        archive.names().any(|name| name.starts_with(&begin))
    })
}

/// The sizes of the generator under `prefix`, from its first and last weights.
///
/// # Errors
/// When `l1.weight` or `to_rgb.2.weight` is missing or of an impossible shape, or the tensors beside them have other
/// sizes.
pub fn generator_shape(archive: &Archive, prefix: &str) -> Result<GeneratorShape> {
    let first = dims(archive, &format!("{prefix}l1.weight"))?;
    let last = dims(archive, &format!("{prefix}to_rgb.2.weight"))?;
    let wrong = |name: &str, expected: String, found: &[usize]| {
        NnError::Infer(format!("{prefix}{name}: expected {expected}, found {found:?}"))
    };
    let &[outputs, latent] = first else {
        return Err(wrong("l1.weight", "[width·bottom², latent]".to_owned(), first));
    };
    let &[3, width, 3, 3] = last else {
        return Err(wrong("to_rgb.2.weight", "[3, width, 3, 3]".to_owned(), last));
    };
    for (name, size, beside, other) in [
        ("l1.bias", outputs, "l1.weight", first),
        ("to_rgb.0.weight", width, "to_rgb.2.weight", last),
    ] {
        if let Some(tensor) = archive.get(&format!("{prefix}{name}"))
            && tensor.dims() != [size]
        {
            let expected = format!("[{size}] beside {prefix}{beside} {other:?}");
            return Err(wrong(name, expected, tensor.dims()));
        }
    }
    let bottom = outputs.checked_div(width).map_or(0, usize::isqrt);
    if bottom == 0 || width * bottom * bottom != outputs {
        let expected = format!("[{width}·bottom², latent] beside {prefix}to_rgb.2.weight {last:?}");
        return Err(wrong("l1.weight", expected, first));
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
        found => {
            Err(NnError::Infer(format!("expected l5.weight_orig as [1, width], found {found:?}")))
        }
    }
}

/// The generator under `prefix`, with sizes from its weights: a supernet, or the derived network of `arch`.
///
/// `arch` is needed for a derived network only. Checkpoints of the released code want [`Rules::RELEASED`].
///
/// # Errors
/// When sizes cannot be read, when a derived network comes without `arch`, or as [`Params::load`].
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
        net.params().load(archive, prefix)?;
        return Ok(net);
    }
    let arch = arch.ok_or_else(|| {
        NnError::Infer("this is a derived generator; name its architecture".to_owned())
    })?;
    let net = Generator::build(&config, Some(arch), dtype, device)?;
    load_derived(net.params(), archive, prefix, arch)?;
    Ok(net)
}

/// The discriminator under `prefix`, with its width from its weights.
///
/// # Errors
/// When the width cannot be read, or as [`Params::load`].
pub fn read_discriminator(
    archive: &Archive,
    prefix: &str,
    dtype: DType,
    device: &Device,
) -> Result<Discriminator> {
    let config = DiscriminatorConfig {
        width: discriminator_width(archive, prefix)?,
        init: DiscriminatorInit::Xavier,
        warm_up: 15,
    };
    let net = Discriminator::build(&config, dtype, device)?;
    net.params().load(archive, prefix)?;
    Ok(net)
}

fn dims<'a>(archive: &'a Archive, name: &str) -> Result<&'a [usize]> {
    Ok(archive.require(name)?.dims())
}
