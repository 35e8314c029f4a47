//! The macro `names` gives the variants of an enum their names, for files and the command line.

/// Gives an enum its names: a list of all variants, `name`, `Display` and `FromStr`.
macro_rules! names {
    ($type:ident, $what:literal, $count:literal: $($variant:ident = $name:literal),+) => {
        impl $type {
            /// All of them, in their order.
            pub const ALL: [$type; $count] = [$($type::$variant),+];

            /// The name in files and on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name),+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $type::ALL.into_iter().find(|known| known.name() == text).ok_or_else(|| {
                    let names = $type::ALL.map($type::name).join(", ");
                    Self::Err::invalid($what, format!("one of {names}"), format!("{text:?}"))
                })
            }
        }
    };
}
pub(crate) use names;
