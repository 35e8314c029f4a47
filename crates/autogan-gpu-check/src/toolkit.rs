//! What has to be there before anything runs on a GPU: the driver, NVIDIA's compiler and libraries.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Deserializer};

use crate::call::{Call, Finished, Runner, Shown};

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
    pub nvcc: PathBuf,
    /// Folders of libraries.
    libraries: Vec<PathBuf>,
    /// Whether cuDNN can be linked.
    #[serde(skip)]
    pub cudnn: bool,
    /// Environment of builds and of the programs that they make.
    #[serde(deserialize_with = "variables")]
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
    pub fn find(runner: &dyn Runner) -> Result<Self> {
        let call = Call::new(cargo(), &["xtask", "cuda-toolkit"]);
        let Finished { failure, stdout, tail } = runner.run(&Call { shown: Shown::Stderr, ..call });
        if let Some(failure) = failure {
            bail!("{failure}\n{tail}");
        }
        let mut found: Self =
            serde_json::from_str(&stdout).context("`cargo xtask cuda-toolkit`")?;
        found.cudnn = has_cudnn(&found.libraries, runner);
        Ok(found)
    }
}

/// Variables as pairs of plain strings; serde has its own form of an `OsString`.
fn variables<'de, D: Deserializer<'de>>(
    pairs: D,
) -> std::result::Result<Vec<(OsString, OsString)>, D::Error> {
    let pairs = Vec::<(String, String)>::deserialize(pairs)?;
    Ok(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
}

/// The cargo that runs us, or the one on the path.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The compiler below `CUDA_HOME`, or else the name under which the path may have it.
pub fn nvcc_here() -> PathBuf {
    let below = std::env::var_os("CUDA_HOME").map(|home| Path::new(&home).join("bin/nvcc"));
    below.filter(|nvcc| nvcc.is_file()).unwrap_or_else(|| "nvcc".into())
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
        pub fn fake(home: impl Into<PathBuf>, cudnn: bool, env: Vec<(OsString, OsString)>) -> Self {
            let bin = home.into().join("bin");
            let sanitizer = bin.join("compute-sanitizer");
            Self {
                nvcc: bin.join("nvcc"),
                libraries: Vec::new(),
                cudnn,
                env,
                sanitizer: sanitizer.is_file().then_some(sanitizer),
                target: "built".into(),
            }
        }
    }

    #[test]
    fn the_toolkit_is_what_xtask_prints() {
        let printed = r#"{"nvcc": "/c/bin/nvcc", "libraries": [], "env": [["CUDA_HOME", "/c"]],
                          "sanitizer": null, "target": "/t"}"#;
        let answer = |line: &str| fine(if line.ends_with("cuda-toolkit") { printed } else { "" });
        let found = Toolkit::find(&Fake::new(&answer)).unwrap();
        assert_eq!((found.nvcc, found.target), ("/c/bin/nvcc".into(), PathBuf::from("/t")));
        assert_eq!(found.env, [("CUDA_HOME".into(), "/c".into())]);
        assert!(!found.cudnn && found.sanitizer.is_none());
        let refused = |_: &str| failed("no nvcc: not below CUDA_HOME");
        let error = Toolkit::find(&Fake::new(&refused)).unwrap_err().to_string();
        assert!(error.contains("not below CUDA_HOME"), "{error}");
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
