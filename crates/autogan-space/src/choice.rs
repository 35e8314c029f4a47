//! The choices of a cell are enums here: convolution type, normalisation and upsampling (section 3.1).
//!
//! The integers are those of the released code's architecture vector (VITA-Group/AutoGAN at
//! a5eeef0). A new choice is one line here; the network crate's `match` then fails to compile
//! until it says what the choice does.

use serde::{Deserialize, Serialize};

/// Declares one choice: its variants in the order of their released integers, each with its name.
macro_rules! choice {
    ($(#[$doc:meta])* $kind:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $kind {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $kind {
            /// Every variant, in the order of the released integers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The variants' names, in the order of [`Self::ALL`].
            pub(crate) const NAMES: &'static [&'static str] = &[$($name),+];

            /// The released integer of this choice.
            pub const fn released(self) -> u8 {
                self as u8
            }

            /// The choice with this released integer; `None` when there is no such choice.
            pub fn from_released(value: u8) -> Option<Self> {
                Self::ALL.get(usize::from(value)).copied()
            }

            /// The name in the named form, in lower case.
            pub const fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }

            /// The choice with this name; `None` when there is no such choice.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.name() == name)
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

choice! {
    /// The order inside a convolution half.
    Conv {
        /// Upsampling (first half only), convolution 3x3, norm, ReLU.
        Post = "post",
        /// Norm, ReLU, upsampling (first half only), convolution 3x3.
        Pre = "pre",
    }
}

choice! {
    /// The normalisation of both halves.
    Norm {
        /// No normalisation.
        None = "none",
        /// Batch normalisation with affine parameters.
        Batch = "batch",
        /// Instance normalisation without affine parameters.
        Instance = "instance",
    }
}

choice! {
    /// How a cell doubles the side, in its first half, its shortcut and its incoming skips.
    Upsample {
        /// Bilinear interpolation, half-pixel centres.
        Bilinear = "bilinear",
        /// Nearest neighbour.
        Nearest = "nearest",
        /// Transposed convolution 2x2 with stride 2.
        Deconv = "deconv",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_integers_are_those_of_the_released_code() {
        assert_eq!([Conv::Post, Conv::Pre].map(Conv::released), [0, 1]);
        assert_eq!([Norm::None, Norm::Batch, Norm::Instance].map(Norm::released), [0, 1, 2]);
        assert_eq!(
            [Upsample::Bilinear, Upsample::Nearest, Upsample::Deconv].map(Upsample::released),
            [0, 1, 2]
        );
        assert_eq!(Norm::from_released(3), None);
    }

    #[test]
    fn names_agree_with_serde() {
        for &norm in Norm::ALL {
            let json = serde_json::to_string(&norm).unwrap();
            assert_eq!(json, format!("\"{norm}\""));
            assert_eq!(Norm::from_name(norm.name()), Some(norm));
        }
        for &conv in Conv::ALL {
            assert_eq!(serde_json::to_string(&conv).unwrap(), format!("\"{conv}\""));
        }
        for &up in Upsample::ALL {
            assert_eq!(serde_json::to_string(&up).unwrap(), format!("\"{up}\""));
        }
    }
}
