//! This module gives the linker what it misses where CUDA is not installed as a whole: NVIDIA's wheels hold libraries
//! under versioned names alone, and the driver's library comes with the driver.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::said;
use super::toolkit::Toolkit;
use crate::handover::{cargo, succeed};

/// The libraries that the program links, beside the driver's.
const LIBRARIES: [&str; 6] = ["cublas", "cublasLt", "cudart", "cudnn", "curand", "nvrtc"];

/// The driver's library, as programs name it.
const DRIVER: &str = "libcuda.so.1";

/// Fills a folder that the linker is to search after all others: links under unversioned names to the toolkit's
/// libraries, and a stand-in for the driver's, whose functions say that there is no GPU.
pub fn folder(root: &Path, toolkit: &Toolkit, at: &Path) -> Result<()> {
    fs::create_dir_all(at).with_context(|| format!("cannot make {}", at.display()))?;
    for name in LIBRARIES {
        let Some(library) = versioned(&toolkit.libraries(), name)? else { continue };
        link(&library, &at.join(format!("lib{name}.so")))?;
    }
    let source = at.join("driver.c");
    fs::write(&source, stand_in(&functions(&bindings(root)?)?))
        .with_context(|| format!("cannot write {}", source.display()))?;
    let mut command = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    command.args(["-shared", "-fPIC", "-w", &format!("-Wl,-soname,{DRIVER}"), "-o"]);
    command.arg(at.join("libcuda.so")).arg(&source);
    succeed(command)
}

/// `lib{name}.so.N` in one of the folders, with the shortest version.
fn versioned(folders: &[PathBuf], name: &str) -> Result<Option<PathBuf>> {
    let start = format!("lib{name}.so.");
    let mut found = Vec::new();
    for folder in folders {
        found.extend(crate::tidy::entries(folder)?.into_iter().filter(|path| {
            path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(&start))
        }));
    }
    Ok(found.into_iter().min_by_key(|path| path.as_os_str().len()))
}

#[cfg(unix)]
fn link(library: &Path, name: &Path) -> Result<()> {
    if name.is_symlink() {
        fs::remove_file(name)?;
    }
    std::os::unix::fs::symlink(library, name)
        .with_context(|| format!("cannot link {} as {}", library.display(), name.display()))
}

/// Elsewhere toolkits are complete.
#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> Result<()> {
    Ok(())
}

/// The file of cudarc that declares the driver's functions.
fn bindings(root: &Path) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--locked", "--features"]);
    command.arg("autogan-cli/cuda").current_dir(root);
    let metadata: serde_json::Value = serde_json::from_str(&said(&mut command)?)?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let cudarc = packages.find(|package| package["name"] == "cudarc");
    let manifest = cudarc.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.context("`cargo metadata` names no package cudarc")?;
    Ok(Path::new(manifest).with_file_name("src").join("driver/sys/mod.rs"))
}

/// The driver's functions that are declared in a file.
fn functions(bindings: &Path) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(bindings)
        .with_context(|| format!("cannot read {}", bindings.display()))?;
    let found = declared(&text);
    // Fewer cannot be all of them: an allocation, a copy, a launch and a module are a dozen.
    if found.len() < 100 {
        bail!("expected the functions of CUDA's driver in {}", bindings.display());
    }
    Ok(found)
}

/// The names behind `fn` that are the driver's.
fn declared(text: &str) -> BTreeSet<String> {
    let names = text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
    let driver = |name: &&str| {
        name.strip_prefix("cu").is_some_and(|rest| rest.starts_with(char::is_uppercase))
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    names.filter(driver).map(str::to_owned).collect()
}

/// A library in C of these functions, each of which gives CUDA_ERROR_NO_DEVICE.
fn stand_in(functions: &BTreeSet<String>) -> String {
    functions.iter().fold(String::new(), |mut code, name| {
        let _ = writeln!(code, "int {name}(void) {{ return 100; }}");
        code
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDINGS: &str = "
pub unsafe fn cuInit(flags: c_uint) -> CUresult {
    type _F = unsafe extern \"C\" fn(c_uint) -> CUresult;
        extern \"C\" {
            fn cuInit(Flags: c_uint) -> CUresult;
            fn cuMemAlloc_v2(dptr: *mut CUdeviceptr, bytesize: usize) -> CUresult;
        }
pub unsafe fn culib() -> &'static Library { fn customise() }
";

    #[test]
    fn the_drivers_functions_are_found_and_stood_in_for() {
        let found = declared(BINDINGS);
        assert_eq!(found.iter().collect::<Vec<_>>(), ["cuInit", "cuMemAlloc_v2"]);
        assert_eq!(
            stand_in(&found),
            "int cuInit(void) { return 100; }\nint cuMemAlloc_v2(void) { return 100; }\n"
        );
    }

    #[test]
    fn a_versioned_library_is_found_under_its_shortest_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["libcublas.so.13.1.0", "libcublas.so.13", "libcublasLt.so.13"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let folders = [dir.path().to_owned()];
        let found = versioned(&folders, "cublas").unwrap().unwrap();
        assert_eq!(found.file_name().unwrap(), "libcublas.so.13");
        assert_eq!(versioned(&folders, "cudnn").unwrap(), None);
    }
}
