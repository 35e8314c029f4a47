//! This module reads an architecture from the released vector, the named form, or a published name.
//!
//! The released vector is `conv norm up shortcut` for the first cell and
//! `conv norm up shortcut skip` for each later one (VITA-Group/AutoGAN at a5eeef0). The named form
//! is what [`Arch::named`] writes: `conv-norm-upsampling[-sc][+i…]` per cell, cells separated
//! by `/`, `i` counted from 1.

use std::str::FromStr;

use crate::error::one_of;
use crate::{
    Arch, CellArch, Conv, MAX_CELLS, Norm, Result, Skips, SpaceError, TokenKind, TokenOrder,
    Upsample, stage_tokens,
};

impl Arch {
    /// Reads an architecture from the released vector.
    ///
    /// # Errors
    /// When the length is not 4, 9 or 14, or when a number stands for no choice; the error says
    /// which one and what it may be.
    pub fn from_released<T: Copy + Into<i64>>(numbers: &[T]) -> Result<Self> {
        let numbers: Vec<_> = numbers.iter().map(|&number| Ok(number.into())).collect();
        read_vector(&numbers)
    }
}

/// The architecture of a vector of numbers; an entry that is none is an error that holds its text.
fn read_vector(numbers: &[Result<i64, String>]) -> Result<Arch> {
    let length = |cells: usize| -> usize {
        (0..cells).map(|stage| stage_tokens(stage, TokenOrder::Released).len()).sum()
    };
    let found = numbers.len();
    let cells = (1..=MAX_CELLS).find(|&cells| length(cells) == found);
    let cells = cells.ok_or(SpaceError::Length { found })?;
    let mut archs = Vec::with_capacity(cells);
    let mut rest = numbers.iter().zip(1..);
    for stage in 0..cells {
        let tokens = stage_tokens(stage, TokenOrder::Released);
        let value = |(token, (number, position)): (TokenKind, (&Result<i64, String>, usize))| {
            let value = number.as_ref().ok().and_then(|&number| usize::try_from(number).ok());
            value.filter(|&value| value < token.choices()).ok_or_else(|| SpaceError::Number {
                position,
                cell: stage + 1,
                token: token.name(),
                found: number.as_ref().map_or_else(String::clone, i64::to_string),
                allowed: token.allowed(),
            })
        };
        let values = tokens.into_iter().zip(&mut rest).map(value).collect::<Result<Vec<_>>>()?;
        archs.push(CellArch::from_tokens(stage, TokenOrder::Released, &values)?);
    }
    Arch::new(archs)
}

/// Reads a released vector (numbers separated by spaces or commas, in brackets or not), the named form, or the name of
/// a published architecture, in short too (`a` for `autogan-a`).
impl FromStr for Arch {
    type Err = SpaceError;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let named = |name: &str| name == text || name.strip_prefix("autogan-") == Some(text);
        if let Some((_, arch)) = Self::KNOWN.iter().find(|(name, _)| named(name)) {
            return Ok(arch.clone());
        }
        if text.starts_with(|c: char| c.is_ascii_digit() || c == '[' || c == '-') {
            return parse_vector(text);
        }
        // For a text that begins like the named form, the error names the part that is wrong.
        let first = text.split('/').next().unwrap_or_default();
        if first.matches('-').count() < 2 {
            return Err(SpaceError::Text {
                found: text.to_owned(),
                known: one_of(&Self::KNOWN.map(|(name, _)| name)),
            });
        }
        let cells: Vec<&str> = text.split('/').map(str::trim).collect();
        if cells.len() > MAX_CELLS {
            return Err(SpaceError::Cells { found: cells.len() });
        }
        let cells = cells
            .into_iter()
            .enumerate()
            .map(|(index, name)| CellArch::from_name(index, name))
            .collect::<Result<Vec<_>>>()?;
        Self::new(cells)
    }
}

fn parse_vector(text: &str) -> Result<Arch> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let words = bare.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let numbers: Vec<_> = words.map(|word| word.parse().map_err(|_| format!("`{word}`"))).collect();
    read_vector(&numbers)
}

impl CellArch {
    /// Reads the cell at `index` (from 0) from its named form: `pre-none-bilinear-sc+1`.
    ///
    /// # Errors
    /// When a part of the name stands for no choice, or names a skip from a cell that is not
    /// before this one.
    pub fn from_name(index: usize, name: &str) -> Result<Self> {
        let cell = index + 1;
        let mut pieces = name.split('+').map(str::trim);
        let body = pieces.next().unwrap_or_default();
        let parts: Vec<&str> = body.split('-').collect();
        let (choices, shortcut) = match parts.as_slice() {
            [conv, norm, upsample] => ([*conv, *norm, *upsample], false),
            [conv, norm, upsample, "sc"] => ([*conv, *norm, *upsample], true),
            [_, _, _, last] => return Err(wrong_name(cell, "shortcut", last, &["sc", "absent"])),
            _ => {
                let form = ["conv-norm-upsampling", "conv-norm-upsampling-sc"];
                return Err(wrong_name(cell, "cell", body, &form));
            }
        };
        let [conv, norm, upsample] = choices;
        let mut bits = vec![false; index];
        for piece in pieces {
            let bit =
                piece.parse::<usize>().ok().and_then(|from| bits.get_mut(from.checked_sub(1)?));
            match bit {
                Some(bit) if !*bit => *bit = true,
                _ => return Err(wrong_skip(cell, index, piece)),
            }
        }
        Ok(Self {
            conv: Conv::from_name(conv)
                .ok_or_else(|| wrong_name(cell, "convolution type", conv, Conv::NAMES))?,
            norm: Norm::from_name(norm)
                .ok_or_else(|| wrong_name(cell, "normalisation", norm, Norm::NAMES))?,
            upsample: Upsample::from_name(upsample)
                .ok_or_else(|| wrong_name(cell, "upsampling", upsample, Upsample::NAMES))?,
            shortcut,
            skips: Skips::from_bits(&bits)?,
        })
    }
}

fn wrong_name(cell: usize, part: &'static str, found: &str, allowed: &[&str]) -> SpaceError {
    SpaceError::Name { cell, part, found: format!("`{found}`"), allowed: one_of(allowed) }
}

fn wrong_skip(cell: usize, index: usize, found: &str) -> SpaceError {
    let earlier: Vec<String> = (1..=index).map(|from| format!("+{from}")).collect();
    SpaceError::Name {
        cell,
        part: "skip that is left",
        found: format!("`+{found}`"),
        allowed: if earlier.is_empty() {
            "absent (there is no earlier cell)".to_owned()
        } else {
            format!("{}, each once", one_of(&earlier))
        },
    }
}
