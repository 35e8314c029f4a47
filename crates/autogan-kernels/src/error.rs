//! [`SizeError`] is the one error of kernels: sizes that do not fit each other.

/// Sizes that a kernel cannot work with; the message says what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SizeError(pub(crate) String);

/// A result whose error is a [`SizeError`].
pub type Result<T> = std::result::Result<T, SizeError>;

/// Returns a [`SizeError`] with a formatted message.
macro_rules! bail {
    ($($message:tt)*) => {
        return Err($crate::SizeError(format!($($message)*)))
    };
}
pub(crate) use bail;
