//! What has to be there before anything runs on a card: the driver, NVIDIA's compiler and libraries.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::call::{Call, Runner};
use crate::cuda;

/// The driver's library.
const DRIVER: &str = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };

/// Whether the driver's library can be loaded, as every program that computes on a card does.
pub fn driver_loads() -> bool {
    // SAFETY: loading the driver's library runs its initialisers, which every program that computes on a card runs.
    unsafe { libloading::Library::new(DRIVER) }.is_ok()
}

/// NVIDIA's compiler and libraries.
#[derive(Clone, Debug)]
pub struct Toolkit {
    pub nvcc: PathBuf,
    pub cudnn: bool,
    /// What builds and programs have to have in their environment.
    pub env: Vec<(OsString, OsString)>,
    pub sanitizer: Option<PathBuf>,
    /// Where builds go.
    pub target: PathBuf,
}

impl Toolkit {
    /// Below CUDA_HOME, on the path, or NVIDIA's wheels, which are installed where there is nothing.
    ///
    /// # Errors
    /// When there is none and none can be installed.
    pub fn find(root: &Path, runner: &dyn Runner) -> Result<Self> {
        let found = cuda::toolkit::Toolkit::find(root, true)?;
        let mut env = found.environment()?;
        env.push(cuda::build::linking(root, &found)?);
        Ok(Self {
            cudnn: has_cudnn(&found.libraries(), runner),
            sanitizer: found.program("compute-sanitizer"),
            target: cuda::toolkit::Toolkit::target()?,
            nvcc: found.nvcc,
            env,
        })
    }
}

/// Whether cuDNN can be linked: among the toolkit's libraries or the system's, or where `CUDNN_LIB` says.
fn has_cudnn(folders: &[PathBuf], runner: &dyn Runner) -> bool {
    let named = std::env::var_os("CUDNN_LIB").map(PathBuf::from);
    if folders.iter().chain(&named).any(|folder| holds(folder, "libcudnn.so")) {
        return true;
    }
    let known = runner.run(&Call::new("ldconfig", &["-p"])).stdout;
    known.lines().any(|line| line.trim().starts_with("libcudnn.so "))
}

/// Whether a folder has a file whose name begins like this.
fn holds(folder: &Path, name: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // an unwrap is how a test fails
pub mod tests {
    use super::super::call::tests::{Fake, fine};
    use super::*;

    impl Toolkit {
        /// One that is not there.
        pub fn fake(home: impl Into<PathBuf>, cudnn: bool, env: Vec<(OsString, OsString)>) -> Self {
            let bin = home.into().join("bin");
            let sanitizer = bin.join("compute-sanitizer");
            Self {
                nvcc: bin.join("nvcc"),
                cudnn,
                env,
                sanitizer: sanitizer.is_file().then_some(sanitizer),
                target: "built".into(),
            }
        }
    }

    #[test]
    fn cudnn_is_looked_for_beside_the_toolkit_and_in_the_system() {
        let home = tempfile::tempdir().unwrap();
        let nothing =
            |_: &str| fine("\tlibcublas.so.13 (libc6,x86-64) => /usr/lib/libcublas.so.13\n");
        let folders = [home.path().to_owned()];
        assert!(!has_cudnn(&folders, &Fake::new(&nothing)));
        let known = |_: &str| fine("\tlibcudnn.so (libc6,x86-64) => /usr/lib/libcudnn.so\n");
        assert!(has_cudnn(&folders, &Fake::new(&known)));
        std::fs::write(home.path().join("libcudnn.so.9"), "").unwrap();
        assert!(has_cudnn(&folders, &Fake::new(&nothing)));
    }
}
