//! A [`Split`] says which part of a dataset is meant.

use std::fmt;
use std::str::FromStr;

use crate::error::DataError;

/// Which part of a dataset is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// The images that networks are trained on and that FID compares with.
    Train,
    /// The images held back, for the accuracy of a classifier.
    Test,
}

impl Split {
    /// `train` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match text {
            "train" => Ok(Self::Train),
            "test" => Ok(Self::Test),
            other => Err(DataError::mismatch("split", "train or test", other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for split in [Split::Train, Split::Test] {
            assert_eq!(split.to_string().parse::<Split>().unwrap(), split);
        }
        let error = "valid".parse::<Split>().unwrap_err().to_string();
        assert_eq!(error, "split: expected train or test, found valid");
    }
}
