//! What has to be there before anything runs on a card: the driver, NVIDIA's compiler and libraries.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

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
    /// The folder that holds them; none where the system keeps them in its own.
    home: Option<PathBuf>,
    pub cudnn: bool,
    /// What builds and programs have to have in their environment.
    pub env: Vec<(OsString, OsString)>,
}

impl Toolkit {
    /// On the path, below CUDA_HOME, or NVIDIA's wheels, which are installed where there is nothing.
    ///
    /// # Errors
    /// When there is none and none can be installed.
    pub fn find(root: &Path, runner: &dyn Runner) -> Result<Self> {
        let (nvcc, home) = match cuda::nvcc_here() {
            Some(nvcc) => {
                let named = std::env::var_os("CUDA_HOME").map(PathBuf::from);
                let around = || {
                    let real = on_path(&nvcc)?.canonicalize().ok()?;
                    Some(real.parent()?.parent()?.to_owned())
                };
                let home = named.or_else(around);
                (nvcc, home)
            }
            None => {
                let nvcc = cuda::nvcc(root)?;
                let script = root.join("scripts/install_cuda.sh");
                let installed = runner.run(&Call::new(script, &["--libraries"]).aloud());
                if let Some(failure) = installed.failure {
                    bail!("{failure}:\n{}", installed.tail);
                }
                (nvcc, Some(PathBuf::from(installed.stdout.trim())))
            }
        };
        let cudnn = has_cudnn(home.as_deref(), runner);
        let env = home.as_deref().map_or(Ok(Vec::new()), |home| environment(root, home))?;
        Ok(Self { nvcc, home, cudnn, env })
    }

    /// A program of the toolkit, where it is there: beside nvcc, or on the path.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let beside = self.home.as_ref().map(|home| home.join("bin").join(name));
        beside.filter(|path| path.is_file()).or_else(|| on_path(Path::new(name)))
    }
}

/// What names a toolkit to builds and programs. NVIDIA's wheels hold libraries under their versioned names alone, while
/// linkers look for others: links of these names are made.
fn environment(root: &Path, home: &Path) -> Result<Vec<(OsString, OsString)>> {
    let mut env = vec![
        ("CUDA_HOME".into(), home.as_os_str().to_owned()),
        ("PATH".into(), before("PATH", &home.join("bin"))?),
    ];
    let lib = home.join("lib");
    if holds(&lib, "libcublas.so.") && !lib.join("libcublas.so").exists() {
        let links = root.join("target/cuda/libraries");
        link(&lib, &links)?;
        env.push(("LIBRARY_PATH".into(), before("LIBRARY_PATH", &links)?));
        env.push(("LD_LIBRARY_PATH".into(), before("LD_LIBRARY_PATH", &lib)?));
    }
    Ok(env)
}

/// Where the path has a program.
fn on_path(name: &Path) -> Option<PathBuf> {
    if name.is_absolute() {
        return Some(name.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A list of folders with one more in front.
fn before(variable: &str, folder: &Path) -> Result<OsString> {
    let rest = std::env::var_os(variable).unwrap_or_default();
    let rest = std::env::split_paths(&rest).filter(|path| !path.as_os_str().is_empty());
    std::env::join_paths(std::iter::once(folder.to_owned()).chain(rest))
        .with_context(|| format!("{} cannot be put into {variable}", folder.display()))
}

/// Whether cuDNN can be linked: below the toolkit's folder, among the system's libraries, or where `CUDNN_LIB` says.
fn has_cudnn(home: Option<&Path>, runner: &dyn Runner) -> bool {
    let below = ["lib", "lib64", "targets/x86_64-linux/lib"];
    let named = std::env::var_os("CUDNN_LIB").map(PathBuf::from);
    let folders = home.into_iter().flat_map(|home| below.map(|folder| home.join(folder)));
    if folders.chain(named).any(|folder| holds(&folder, "libcudnn.so")) {
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

/// For each `libNAME.so.N` in `from` a link `libNAME.so` in `to`.
fn link(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for path in crate::tidy::entries(from)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((stem, _)) = name.split_once(".so.") else { continue };
        let plain = to.join(format!("{stem}.so"));
        if plain.symlink_metadata().is_ok() {
            std::fs::remove_file(&plain)
                .with_context(|| format!("cannot replace {}", plain.display()))?;
        }
        symlink(&path, &plain).with_context(|| format!("cannot link {}", plain.display()))?;
    }
    Ok(())
}

#[cfg(unix)]
fn symlink(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

#[cfg(not(unix))]
fn symlink(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::copy(from, to).map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // an unwrap is how a test fails
pub mod tests {
    use super::super::call::tests::{Fake, fine};
    use super::*;

    impl Toolkit {
        /// One that is not there.
        pub fn fake(home: impl Into<PathBuf>, cudnn: bool, env: Vec<(OsString, OsString)>) -> Self {
            let home = home.into();
            Self { nvcc: home.join("bin/nvcc"), home: Some(home), cudnn, env }
        }
    }

    #[test]
    fn cudnn_is_looked_for_beside_the_toolkit_and_in_the_system() {
        let home = tempfile::tempdir().unwrap();
        let nothing =
            |_: &str| fine("\tlibcublas.so.13 (libc6,x86-64) => /usr/lib/libcublas.so.13\n");
        assert!(!has_cudnn(Some(home.path()), &Fake::new(&nothing)));
        let known = |_: &str| fine("\tlibcudnn.so (libc6,x86-64) => /usr/lib/libcudnn.so\n");
        assert!(has_cudnn(Some(home.path()), &Fake::new(&known)));
        std::fs::create_dir(home.path().join("lib64")).unwrap();
        std::fs::write(home.path().join("lib64/libcudnn.so.9"), "").unwrap();
        assert!(has_cudnn(Some(home.path()), &Fake::new(&nothing)));
    }

    #[cfg(unix)]
    #[test]
    fn libraries_get_the_names_that_linkers_look_for() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("lib"), dir.path().join("target/cuda/libraries"));
        std::fs::create_dir(&from).unwrap();
        for name in ["libcublas.so.13", "libcudnn.so.9", "notes.txt"] {
            std::fs::write(from.join(name), name).unwrap();
        }
        let env = environment(dir.path(), dir.path()).unwrap();
        let names: Vec<&str> = env.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["CUDA_HOME", "PATH", "LIBRARY_PATH", "LD_LIBRARY_PATH"]);
        // Again, over what is there.
        link(&from, &to).unwrap();
        // A toolkit that has them needs nothing.
        std::fs::write(from.join("libcublas.so"), "").unwrap();
        assert_eq!(environment(dir.path(), dir.path()).unwrap().len(), 2);
        assert_eq!(std::fs::read_to_string(to.join("libcublas.so")).unwrap(), "libcublas.so.13");
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_comes_before_the_others() {
        let path = before("PATH", Path::new("/x/bin")).unwrap();
        assert!(path.to_string_lossy().starts_with("/x/bin"));
        assert!(path.len() > "/x/bin".len());
        assert_eq!(before("AUTOGAN_NO_SUCH_LIST", Path::new("/x")).unwrap(), "/x");
    }
}
