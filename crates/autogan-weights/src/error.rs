//! An [`Error`] of this crate says which file, which offset, what was expected and what was found.

use autogan_files::Fault;
use candle_core::Tensor;
use std::path::{Path, PathBuf};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong while reading, writing or fetching weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused to read or write, or a name cannot be stored.
    #[error(transparent)]
    File(#[from] autogan_files::Error),
    /// The file's content is not what its format demands.
    #[error("{}{}: {fault}", path.display(), member_text(member))]
    Format {
        /// The file.
        path: PathBuf,
        /// The member of a zip container, empty for the file itself.
        member: String,
        /// What is wrong where; the offset counts from the start of the member where there is one.
        fault: Fault,
    },
    /// A name that was asked for is not in the archive.
    #[error(
        "no tensor named `{name}` among {count}{near}; list the archive's names to see what it holds"
    )]
    MissingTensor {
        /// The name asked for.
        name: String,
        /// Number of tensors in the archive.
        count: usize,
        /// ", did you mean `…`", or empty.
        near: String,
    },
    /// What was asked for as a tensor is none, or none that is read; it was recorded, not executed.
    #[error("`{name}` is not read as a tensor: it is {what}; save the tensor itself, as f32")]
    NotATensor {
        /// The name asked for.
        name: String,
        /// What it is.
        what: String,
    },
    /// A tensor of a network holds NaN or an infinity.
    #[error(
        "the tensor `{name}` holds a value that is not finite, {value} at index {index}: the training that wrote it \
         diverged, or the file is damaged; take an earlier checkpoint"
    )]
    NotFinite {
        /// The first such tensor.
        name: String,
        /// The flat index of its first such value.
        index: usize,
        /// The value.
        value: f64,
    },
    /// None of the sub-dictionaries asked for exists.
    #[error(
        "none of the dictionaries {wanted} is in the checkpoint; its top level holds {present}"
    )]
    MissingDictionary {
        /// The names tried, in order.
        wanted: String,
        /// The names at the top level of the checkpoint.
        present: String,
    },
    /// A tensor cannot be stored in a file of this kind.
    #[error(
        "tensor `{name}` has type {dtype}, which a file of this kind does not hold; convert it to f32 first"
    )]
    UnsupportedType {
        /// The tensor.
        name: String,
        /// Its element type.
        dtype: String,
    },
    /// candle refused to build or to read a tensor.
    #[error("tensor `{name}`: {source}")]
    Tensor {
        /// The tensor.
        name: String,
        /// candle's error.
        source: candle_core::Error,
    },
    /// Tensors that do not fit the network that they are loaded into.
    #[error(
        "the tensors do not fit the network: missing {missing:?}; unexpected {unexpected:?}; of another shape \
         {wrong_shape:?}. Load them into a network of the architecture and the sizes that they were saved from"
    )]
    Mismatch {
        /// Tensors that the network has and the source lacks.
        missing: Vec<String>,
        /// Tensors that the source has and the network lacks.
        unexpected: Vec<String>,
        /// Tensors of another shape, as `name: expected [..], found [..]`.
        wrong_shape: Vec<String>,
    },
    /// An element type that a network does not compute in.
    #[error("variables are F32 or F64, found {found}; choose one of the two")]
    ParameterType {
        /// The type that was asked for.
        found: String,
    },
    /// Two tensors of one network have the same name.
    #[error("the network already has a tensor named `{name}`; give each layer a name of its own")]
    NameTaken {
        /// The name.
        name: String,
    },
}

fn member_text(member: &str) -> String {
    if member.is_empty() { String::new() } else { format!(" (member {member})") }
}

impl Error {
    pub(crate) fn tensor(name: &str, source: candle_core::Error) -> Self {
        Error::Tensor { name: name.to_string(), source }
    }

    /// A name that is not among `names`, of which there are `count`.
    pub(crate) fn missing_tensor<'a>(
        name: &str,
        count: usize,
        mut names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let near = names.find(|other| {
            other.ends_with(&format!(".{name}")) || name.ends_with(&format!(".{other}"))
        });
        Error::MissingTensor {
            name: name.to_string(),
            count,
            near: near.map_or(String::new(), |other| format!(", did you mean `{other}`?")),
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let named = autogan_files::Error::io(action, path);
        move |source| named(source).into()
    }

    pub(crate) fn unsupported_type(name: &str, tensor: &Tensor) -> Self {
        let dtype = tensor.dtype().as_str().to_string();
        Error::UnsupportedType { name: name.to_string(), dtype }
    }

    pub(crate) fn format(
        path: &Path,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Error::in_file(path, "", Fault::new(offset, expected, found))
    }

    /// A fault in a file, or in the member of it (empty for the file itself).
    pub(crate) fn in_file(path: &Path, member: &str, fault: Fault) -> Self {
        Error::Format { path: path.to_path_buf(), member: member.to_string(), fault }
    }
}
