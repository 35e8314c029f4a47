//! [`Toolkit`] finds CUDA's toolkit, and the environment for builds with the features `cuda` and `cudnn`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::check::in_root;

/// The oldest architecture that is supported (Turing), for which kernels are compiled where no GPU tells its own: a
/// driver translates them for every later one.
const OLDEST: &str = "75";

/// The compiler's file name.
const NVCC: &str = if cfg!(windows) { "nvcc.exe" } else { "nvcc" };

/// Folders of libraries below a toolkit, and of cuDNN's beside one that comes from PyPI's wheels.
const LIBRARIES: [&str; 4] = ["lib64", "lib", "targets/x86_64-linux/lib", "../cudnn/lib"];

/// A compiler for candle's kernels: nvcc for PTX. The library of quantised products, which our programs have no use for,
/// would take ten minutes and half of a program's size; its functions, which candle's `ffi.rs` names, say that they are
/// left out, and end the program.
const COMPILER: &str = include_str!("nvcc.sh");

/// What is installed of CUDA.
pub struct Toolkit {
    /// NVIDIA's compiler.
    pub nvcc: PathBuf,
    /// What `CUDA_HOME` names.
    home: PathBuf,
}

impl Toolkit {
    /// The compiler: below `CUDA_HOME`, on the path, or from NVIDIA's wheels, which are installed into a cache folder
    /// where there is neither. `libraries`: the wheels bring cuBLAS, cuRAND and cuDNN, too.
    pub fn find(root: &Path, libraries: bool) -> Result<Self> {
        if let Some(nvcc) = nvcc_here() {
            return Self::of(nvcc);
        }
        let home = installed(root, libraries)?;
        let nvcc = home.join("bin").join(NVCC);
        if !runs(&nvcc) {
            bail!("{} does not run; remove that installation and try again", nvcc.display());
        }
        Self::of(nvcc)
    }

    fn of(nvcc: PathBuf) -> Result<Self> {
        let real = nvcc.canonicalize().with_context(|| format!("{} is gone", nvcc.display()))?;
        let Some(home) = real.parent().and_then(Path::parent) else {
            bail!("{} lies in no toolkit", real.display());
        };
        Ok(Self { home: home.to_owned(), nvcc })
    }

    /// The folders that hold its libraries.
    pub fn libraries(&self) -> Vec<PathBuf> {
        let folders = LIBRARIES.iter().map(|name| self.home.join(name));
        folders.filter(|folder| folder.is_dir()).collect()
    }

    /// Where the build with the features lies: outside the repository, for candle's kernels take minutes to compile.
    pub fn target() -> Result<PathBuf> {
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || env::home_dir().map(|home| home.join(".cache"));
        let cache = cache.or_else(home).context("there is no home folder for a cache")?;
        Ok(cache.join("autogan").join("cuda-target"))
    }

    /// Cargo in the repository's root with this toolkit, building where [`Self::target`] says.
    pub fn cargo(&self, root: &Path, args: &[&str]) -> Result<Command> {
        let mut command = in_root(root, args);
        command.envs(self.environment()?).env("CARGO_TARGET_DIR", Self::target()?);
        Ok(command)
    }

    /// The compiler that builds call.
    fn compiler() -> Result<PathBuf> {
        let target = Self::target()?;
        std::fs::create_dir_all(&target)
            .with_context(|| format!("cannot make {}", target.display()))?;
        let compiler = target.join("nvcc");
        if std::fs::read_to_string(&compiler).is_ok_and(|there| there == COMPILER) {
            return Ok(compiler);
        }
        let aside = tempfile::NamedTempFile::new_in(&target)?;
        std::fs::write(&aside, COMPILER)?;
        executable(aside.path())?;
        aside.persist(&compiler)?;
        Ok(compiler)
    }

    /// What builds and the programs that they make have to have in their environment.
    pub fn environment(&self) -> Result<Vec<(OsString, OsString)>> {
        let bin = self.nvcc.parent().map(Path::to_owned);
        let mut variables = vec![
            ("CUDA_HOME".into(), self.home.clone().into()),
            ("PATH".into(), joined(bin, "PATH")?),
            ("LD_LIBRARY_PATH".into(), joined(self.libraries(), "LD_LIBRARY_PATH")?),
        ];
        if cfg!(unix) {
            variables.push(("NVCC".into(), Self::compiler()?.into()));
        }
        if env::var_os("CUDA_COMPUTE_CAP").is_none() && !runs(Path::new("nvidia-smi")) {
            variables.push(("CUDA_COMPUTE_CAP".into(), OLDEST.into()));
        }
        Ok(variables)
    }

    /// A program of the toolkit, where it is there: beside nvcc, or on the path.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let beside = self.home.join("bin");
        std::iter::once(beside).chain(path()).map(|folder| folder.join(name)).find(|p| p.is_file())
    }
}

/// The compiler below `CUDA_HOME` or on the path.
pub fn nvcc_here() -> Option<PathBuf> {
    let below = env::var_os("CUDA_HOME").map(|home| Path::new(&home).join("bin"));
    below.into_iter().chain(path()).map(|folder| folder.join(NVCC)).find(|nvcc| runs(nvcc))
}

/// The folders of the path.
fn path() -> Vec<PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect()
}

/// Folders before those that a variable names.
pub(super) fn joined(first: impl IntoIterator<Item = PathBuf>, variable: &str) -> Result<OsString> {
    let rest = env::var_os(variable).unwrap_or_default();
    let rest = env::split_paths(&rest).filter(|path| !path.as_os_str().is_empty());
    env::join_paths(first.into_iter().chain(rest))
        .with_context(|| format!("a folder's name does not fit into {variable}"))
}

#[cfg(unix)]
fn executable(program: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755))?)
}

/// Elsewhere every file can be run.
#[cfg(not(unix))]
fn executable(_: &Path) -> Result<()> {
    Ok(())
}

/// Whether a program is there and works.
fn runs(program: &Path) -> bool {
    let mut command = Command::new(program);
    let named = if program.ends_with("nvidia-smi") { "-L" } else { "--version" };
    command.arg(named).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The folder of NVIDIA's wheels, once they are installed.
fn installed(root: &Path, libraries: bool) -> Result<PathBuf> {
    let script = root.join("scripts/install_cuda.sh");
    let mut command = Command::new(&script);
    if libraries {
        command.arg("--libraries");
    }
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("{} does not start", script.display()))?;
    if !output.status.success() {
        bail!(
            "no nvcc: not below CUDA_HOME, not on the path, and scripts/install_cuda.sh could not install it; its \
             messages are above"
        );
    }
    let home = String::from_utf8(output.stdout).context("the folder's name is not UTF-8")?;
    Ok(PathBuf::from(home.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolkit_is_named_by_its_compiler() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for folder in ["cu13/bin", "cu13/lib", "cudnn/lib"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let nvcc = root.join("cu13/bin/nvcc");
        std::fs::write(&nvcc, "").unwrap();
        let toolkit = Toolkit::of(nvcc).unwrap();
        assert_eq!(toolkit.home, root.join("cu13"));
        let found: Vec<_> = toolkit.libraries().iter().map(|l| l.canonicalize().unwrap()).collect();
        assert_eq!(found, [root.join("cu13/lib"), root.join("cudnn/lib")]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_left_out_of_candles_library_is_there_to_be_linked() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("src")).unwrap();
        let ffi = "extern \"C\" {\n    pub fn launch_a(\n    pub fn gemm_2(x: i32) -> i32;\n}\n";
        std::fs::write(dir.path().join("src/ffi.rs"), ffi).unwrap();
        std::fs::write(dir.path().join("nvcc.sh"), COMPILER).unwrap();
        let run = |args: &[&str]| {
            let mut command = Command::new("sh");
            command.arg("nvcc.sh").args(args).current_dir(dir.path()).status().unwrap().success()
        };
        assert!(
            run(&["-arch", "x", "-c", "-o", "a.o", "a.cu"])
                && run(&["--lib", "-o", "lib.a", "a.o"])
        );
        let library = std::fs::read(dir.path().join("lib.a")).unwrap();
        for name in ["launch_a: quantised", "gemm_2: quantised"] {
            assert!(library.windows(name.len()).any(|bytes| bytes == name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn folders_come_before_those_of_a_variable() {
        let joined = joined([PathBuf::from("/first")], "PATH").unwrap();
        let own = env::var_os("PATH").unwrap();
        let paths: Vec<_> = env::split_paths(&joined).collect();
        assert_eq!(paths[0], Path::new("/first"));
        assert_eq!(paths.len(), 1 + env::split_paths(&own).filter(|p| p != Path::new("")).count());
    }
}
