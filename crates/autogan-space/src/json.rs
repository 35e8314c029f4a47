//! This module serialises an architecture as the released vector, `[1,0,1,1,…]`, and reads it from that or from any
//! text that parses, such as `"autogan-a"` in a configuration file.

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::Arch;

impl Serialize for Arch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_released().serialize(serializer)
    }
}

/// Serialises the released vector as a text, `"1 0 1 1"`, for `#[serde(serialize_with)]`; it is read back as well.
///
/// # Errors
/// Those of the serializer.
pub fn as_text<S: Serializer>(arch: &Arch, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(arch)
}

impl<'de> Deserialize<'de> for Arch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ArchVisitor)
    }
}

struct ArchVisitor;

impl<'de> Visitor<'de> for ArchVisitor {
    type Value = Arch;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an architecture as a vector of 4, 9 or 14 numbers or as text")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Arch, A::Error> {
        let mut numbers: Vec<i64> = Vec::new();
        while let Some(number) = seq.next_element()? {
            numbers.push(number);
        }
        Arch::from_released(&numbers).map_err(de::Error::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Arch, E> {
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_released_vector() {
        let json = serde_json::to_string(&Arch::AUTOGAN_A).unwrap();
        assert_eq!(json, "[1,0,1,1,1,0,0,1,1,1,0,1,0,3]");
        assert_eq!(serde_json::from_str::<Arch>(&json).unwrap(), Arch::AUTOGAN_A);
        assert_eq!(serde_json::from_str::<Arch>("\"autogan-a\"").unwrap(), Arch::AUTOGAN_A);
    }

    #[test]
    fn json_errors_name_the_number() {
        let error = serde_json::from_str::<Arch>("[1,0,3,1]").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("number 3 (upsampling of cell 1) is 3; it may be 0 (bilinear)"),
            "{error}"
        );
        let error = serde_json::from_str::<Arch>("{}").unwrap_err();
        assert!(error.to_string().contains("an architecture as a vector"));
    }
}
