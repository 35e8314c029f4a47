//! With the feature `cuda`: compiles the kernels to PTX by nvcc, and makes a list of them.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    cuda::compile();
}

#[cfg(feature = "cuda")]
mod cuda {
    use std::fmt::Write;
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    /// What a kernel's definition begins with.
    const MARK: &str = "KERNEL(";

    /// The oldest architecture that the kernels are for (Turing), where `CUDA_COMPUTE_CAP` names none: a driver compiles
    /// the same PTX for every later one.
    const OLDEST: usize = 75;

    pub fn compile() {
        let (mut kernels, mut headers) = (Vec::new(), Vec::new());
        find(Path::new("src"), &mut kernels, &mut headers);
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        let mut builder = cudaforge::KernelBuilder::new()
            .source_files(&kernels)
            .watch(&headers)
            .args(["-std=c++17", "-O3"])
            .out_dir(&out);
        if env::var_os("CUDA_COMPUTE_CAP").is_none() {
            builder = builder.compute_cap(OLDEST);
        }
        if let Err(error) = builder.build_ptx() {
            let first = error.to_string().lines().next().unwrap_or_default().to_owned();
            println!(
                "cargo::error=the feature `cuda` needs nvcc, which did not compile the kernels: {first}; \
                 scripts/install_cuda.sh installs it, docs/cuda.md says more"
            );
            return;
        }
        fs::write(out.join("kernels.rs"), list(&kernels)).expect("OUT_DIR can be written");
    }

    /// The kernel files and the headers below a folder, in the order of their names.
    fn find(folder: &Path, kernels: &mut Vec<PathBuf>, headers: &mut Vec<PathBuf>) {
        let entries = fs::read_dir(folder).expect("src can be read");
        let mut paths: Vec<_> =
            entries.map(|entry| entry.expect("src can be read").path()).collect();
        paths.sort();
        for path in paths {
            match path.extension().and_then(|e| e.to_str()) {
                _ if path.is_dir() => find(&path, kernels, headers),
                Some("cu") => kernels.push(path),
                Some("cuh") => headers.push(path),
                _ => {}
            }
        }
    }

    /// A function from a kernel's name to the module that holds it and the PTX of that.
    fn list(files: &[PathBuf]) -> String {
        let mut code = String::from(
            "fn module_of(kernel: &str) -> Option<(&'static str, &'static str)> {\n    match kernel {\n",
        );
        for file in files {
            let source = fs::read_to_string(file).expect("kernels can be read");
            let stem = file.file_stem().and_then(|s| s.to_str()).expect("a name in ASCII");
            let names: Vec<String> = source
                .lines()
                .filter_map(|line| line.strip_prefix(MARK)?.split_once(") ")?.1.split_once('('))
                .map(|(name, _)| format!("{name:?}"))
                .collect();
            writeln!(
                code,
                "        {} => Some((\"autogan_{stem}\", include_str!(concat!(env!(\"OUT_DIR\"), \"/{stem}.ptx\")))),",
                names.join(" | ")
            )
            .expect("a string takes all");
        }
        code + "        _ => None,\n    }\n}\n"
    }
}
