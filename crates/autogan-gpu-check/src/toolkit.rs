//! This module finds what a GPU needs before anything runs on it: the driver, NVIDIA's compiler and libraries.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::call::{Call, Echo, Output, Runner};

/// The driver's library.
const DRIVER: &str = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };

/// Whether the driver's library can be loaded, as every program that computes on a GPU does.
pub fn driver_loads() -> bool {
    // SAFETY: loading the driver's library runs its initialisers, which every program that computes on a GPU runs.
    unsafe { libloading::Library::new(DRIVER) }.is_ok()
}

/// NVIDIA's compiler and libraries, as `cargo xtask cuda-toolkit` prints them.
#[derive(Clone, Debug, Deserialize)]
pub struct Toolkit {
    pub nvcc: String,
    /// Folders of libraries.
    libraries: Vec<PathBuf>,
    /// Whether cuDNN can be linked.
    #[serde(skip)]
    pub cudnn: bool,
    /// Environment of builds and of the programs that they make.
    pub env: Vec<(String, String)>,
    pub sanitizer: Option<String>,
    /// Where builds go.
    pub target: String,
}

impl Toolkit {
    /// Below CUDA_HOME, on the path, or NVIDIA's wheels, which are installed where there is nothing.
    ///
    /// # Errors
    /// When there is none and none can be installed.
    pub fn find(runner: &dyn Runner) -> Result<Self> {
        let call = Call::new(&cargo(), &["xtask", "cuda-toolkit"]);
        let Output { failure, stdout, tail } = runner.run(&Call { echo: Echo::Stderr, ..call });
        if let Some(failure) = failure {
            bail!("{failure}\n{tail}");
        }
        let mut found: Self =
            serde_json::from_str(&stdout).context("`cargo xtask cuda-toolkit`")?;
        found.cudnn = has_cudnn(&found.libraries, runner);
        Ok(found)
    }
}

/// A variable of the environment. One that is not in UTF-8 names a file that is not there, which is then said.
pub fn variable(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}

/// The cargo that runs us, or the one on the path.
pub fn cargo() -> String {
    variable("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The compiler below `CUDA_HOME`, or else the name under which the path may have it.
pub fn nvcc_here() -> String {
    let below = variable("CUDA_HOME").map(|home| format!("{home}/bin/nvcc"));
    below.filter(|nvcc| Path::new(nvcc).is_file()).unwrap_or_else(|| "nvcc".into())
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
    use super::*;
    use crate::call::tests::{Fake, failed, fine};

    impl Toolkit {
        /// One that is not there.
        pub fn fake(sanitizer: Option<&str>) -> Self {
            Self {
                nvcc: "/opt/cuda/bin/nvcc".into(),
                libraries: Vec::new(),
                cudnn: true,
                env: vec![("CUDA_HOME".into(), "/opt/cuda".into())],
                sanitizer: sanitizer.map(str::to_owned),
                target: "built".into(),
            }
        }
    }

    #[test]
    fn the_toolkit_is_what_xtask_prints() {
        let printed = r#"{"nvcc": "/c/bin/nvcc", "libraries": [], "env": [["CUDA_HOME", "/c"]],
                          "sanitizer": null, "target": "/t"}"#;
        let answer = |line: &str| fine(if line.ends_with("cuda-toolkit") { printed } else { "" });
        let found = Toolkit::find(&Fake::new(answer)).unwrap();
        assert_eq!((found.nvcc.as_str(), found.target.as_str()), ("/c/bin/nvcc", "/t"));
        assert_eq!(found.env, [("CUDA_HOME".into(), "/c".into())]);
        assert!(!found.cudnn && found.sanitizer.is_none());
        let refused = Fake::new(|_| failed("no nvcc: not below CUDA_HOME"));
        let error = Toolkit::find(&refused).unwrap_err().to_string();
        assert!(error.contains("not below CUDA_HOME"), "{error}");
    }

    #[test]
    fn cudnn_is_looked_for_beside_the_toolkit_and_in_the_system() {
        let home = tempfile::tempdir().unwrap();
        let nothing = "\tlibcublas.so.13 (libc6,x86-64) => /usr/lib/libcublas.so.13\n";
        let known = "\tlibcudnn.so (libc6,x86-64) => /usr/lib/libcudnn.so\n";
        let folders = [home.path().to_owned()];
        let has_cudnn = |said: &str| has_cudnn(&folders, &Fake::new(|_| fine(said)));
        assert!(!has_cudnn(nothing) && has_cudnn(known));
        std::fs::write(home.path().join("libcudnn.so.9"), "").unwrap();
        assert!(has_cudnn(nothing));
    }
}
