//! This module compiles the CUDA kernels as C++ into a shared library when the first test needs it, and calls them.

use std::collections::hash_map::DefaultHasher;
use std::ffi::{CStr, CString, c_char, c_uint, c_void};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use libloading::os::unix::{Library as Loaded, RTLD_NOW};

/// The text that begins the definition of a kernel.
const MARK: &str = "KERNEL(";

/// Options of the compiler. `-O2` makes thousands of launches fast enough, `-g1` gives the sanitizers lines to name. The
/// kernels read vectors through pointers to floats, their pragmas are CUDA's, and fortified jumps refuse to change stacks.
const FLAGS: &[&str] = &[
    "-std=c++17",
    "-O2",
    "-g1",
    "-fPIC",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unknown-pragmas",
    "-fno-strict-aliasing",
    "-ffp-contract=off",
    "-U_FORTIFY_SOURCE",
];

/// The options that the sanitizers add.
const SANITIZERS: &[&str] =
    &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

type Signature = unsafe extern "C" fn(*const c_char) -> *const c_char;
type Name = unsafe extern "C" fn(c_uint) -> *const c_char;
type Launch = unsafe extern "C" fn(
    *const c_char,
    *const c_uint,
    *const c_uint,
    *mut *mut c_void,
    c_uint,
) -> *const c_char;

/// The functions of the library.
struct Library {
    signature: Signature,
    name: Name,
    launch: Launch,
    /// Never closed, so that the functions stay where they are.
    _loaded: Loaded,
}

/// Whether AddressSanitizer and UndefinedBehaviorSanitizer watch the kernels. The first one's library has to be preloaded.
pub fn sanitized() -> bool {
    env::var_os("AUTOGAN_EMULATE_SANITIZE").is_some_and(|value| !value.is_empty())
}

/// Launches a kernel with one-dimensional blocks, and returns the error if there is one.
///
/// Panics when there is no such kernel, or arguments have other types than it takes.
pub fn launch(
    name: &str,
    grid: [u32; 3],
    threads: u32,
    arguments: &[Argument],
    seed: u32,
) -> Option<String> {
    let library = library();
    let c_name = CString::new(name).unwrap();
    let letters: String = arguments.iter().map(|a| a.letter).collect();
    let mut values: Vec<[u64; 6]> = arguments.iter().map(|a| a.value).collect();
    let mut pointers: Vec<*mut c_void> =
        values.iter_mut().map(|v| v.as_mut_ptr().cast::<c_void>()).collect();
    let block = [threads, 1, 1];
    // SAFETY: the name ends with a zero; the signature is a constant or null. Arguments have the types that the
    // signature asks for, so that their values are as large as what is read behind the pointers; whether kernels stay
    // inside of the memory that they are given is what the tests are to find out.
    unsafe {
        let signature = (library.signature)(c_name.as_ptr());
        assert!(!signature.is_null(), "there is no kernel {name}");
        let signature = CStr::from_ptr(signature).to_str().unwrap();
        assert_eq!(letters, signature, "arguments of {name}");
        let (grid, block) = (grid.as_ptr(), block.as_ptr());
        let error = (library.launch)(c_name.as_ptr(), grid, block, pointers.as_mut_ptr(), seed);
        (!error.is_null()).then(|| CStr::from_ptr(error).to_str().unwrap().to_owned())
    }
}

/// The names of all kernels.
pub fn names() -> Vec<String> {
    let library = library();
    (0..)
        .map_while(|i| {
            // SAFETY: the function reads a table of constants; names end with a zero and live as long as the library.
            let name = unsafe { (library.name)(i) };
            (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_str().unwrap().to_owned())
        })
        .collect()
}

/// An argument of a kernel: its type's letter and its bytes.
#[derive(Clone, Copy)]
pub struct Argument {
    letter: char,
    value: [u64; 6],
}

impl Argument {
    /// A pointer of the type that the letter names.
    pub fn pointer(letter: char, to: *const c_void) -> Self {
        Self { letter, value: [to as u64, 0, 0, 0, 0, 0] }
    }

    /// A null pointer to constant floats.
    pub fn null() -> Self {
        Self::pointer('f', std::ptr::null())
    }

    /// A whole number.
    pub fn int(v: i32) -> Self {
        Self { letter: 'i', value: [u64::from(v as u32), 0, 0, 0, 0, 0] }
    }

    /// The sizes of a convolution, in the order of the struct `ConvSizes`.
    pub fn sizes(sizes: [i32; 12]) -> Self {
        let pair =
            |i: usize| u64::from(sizes[2 * i] as u32) | (u64::from(sizes[2 * i + 1] as u32) << 32);
        Self { letter: 'c', value: [pair(0), pair(1), pair(2), pair(3), pair(4), pair(5)] }
    }
}

impl From<usize> for Argument {
    fn from(v: usize) -> Self {
        Self::int(i32::try_from(v).unwrap())
    }
}

impl From<bool> for Argument {
    fn from(v: bool) -> Self {
        usize::from(v).into()
    }
}

impl From<f32> for Argument {
    fn from(v: f32) -> Self {
        Self { letter: 's', value: [u64::from(v.to_bits()), 0, 0, 0, 0, 0] }
    }
}

impl From<f64> for Argument {
    fn from(v: f64) -> Self {
        Self { letter: 'r', value: [v.to_bits(), 0, 0, 0, 0, 0] }
    }
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let path = build();
        // SAFETY: the library is ours and has no initialisers beyond those of C++'s own; its three functions have the
        // types that shim.cpp gives them, and it is never closed. All symbols are resolved at once: the small stacks of
        // fibres have no room for that later.
        unsafe {
            let loaded = Loaded::open(Some(&path), RTLD_NOW).unwrap();
            Library {
                signature: *loaded.get(c"emulated_signature").unwrap(),
                name: *loaded.get(c"emulated_name").unwrap(),
                launch: *loaded.get(c"emulated_launch").unwrap(),
                _loaded: loaded,
            }
        }
    })
}

/// Compiles the files that have changed since the last time, links the library, and returns its path.
fn build() -> PathBuf {
    // Beside the test programs, which all use it.
    let out = env::current_exe().unwrap().with_file_name("emulated-kernels");
    fs::create_dir_all(&out).unwrap();
    let ops = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("autogan-ops");
    let root = ops.join("src");
    let (mut kernels, mut headers) = (Vec::new(), Vec::new());
    sources(&root, &mut kernels, &mut headers);
    kernels.push(ops.join("tests/emulated/shim.cu"));
    let common: Vec<String> = headers.iter().map(|path| read(path)).collect();
    let mut units: Vec<String> = kernels.iter().enumerate().map(|(i, k)| table(i, k)).collect();
    let list: String = (0..units.len()).map(|i| format!("table{i}, ")).collect();
    let declared: String =
        (0..units.len()).map(|i| format!("extern const Kernel table{i}[];\n")).collect();
    units.push(format!(
        "#include \"table.h\"\nnamespace emulated {{\n{declared}\
         const Kernel* const tables[] = {{{list}nullptr}};\n}}\n"
    ));
    units.push(format!("#include \"{}\"\n", root.join("cuda/shim.cpp").display()));
    kernels.push(root.join("cuda/table.h"));
    kernels.push(root.join("cuda/shim.cpp"));
    let objects: Vec<PathBuf> = std::thread::scope(|scope| {
        let compiling: Vec<_> = units
            .iter()
            .zip(&kernels)
            .map(|(unit, kernel)| {
                let content = (unit, read(kernel), &common);
                let object = out.join(format!("{:016x}.o", hash(&content)));
                let (root, unit) = (&root, unit.as_str());
                scope.spawn(move || compile(root, unit, object))
            })
            .collect();
        compiling.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let library = out.join(format!("{:016x}.so", hash(&objects)));
    if !library.is_file() {
        let mut linker = compiler();
        linker.arg("-shared").args(&objects);
        finish(linker, &library);
    }
    library
}

/// Compiles an object file unless one of the same content is there already.
fn compile(root: &Path, unit: &str, object: PathBuf) -> PathBuf {
    if !object.is_file() {
        let source = object.with_extension("cpp");
        fs::write(&source, unit).unwrap();
        let mut command = compiler();
        command.args(FLAGS).arg("-I").arg(root.join("cuda")).arg("-c").arg(&source);
        finish(command, &object);
    }
    object
}

fn compiler() -> Command {
    let mut command = Command::new(env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    if sanitized() {
        // The sanitizers do not watch the compiler itself.
        command.args(SANITIZERS).env_remove("LD_PRELOAD");
    }
    command
}

/// Runs a compiler, and moves its output into place only when it is complete.
fn finish(mut command: Command, output: &Path) {
    let aside = output.with_extension(format!("{}.part", std::process::id()));
    let result = command.arg("-o").arg(&aside).output();
    let result = result.unwrap_or_else(|e| {
        panic!("a C++ compiler is needed, `c++` or what CXX names: {command:?}: {e}")
    });
    let said = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "{command:?} failed:\n{said}");
    fs::rename(&aside, output).unwrap();
}

/// A hash of the content, of the options and of the compiler.
fn hash(content: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (content, FLAGS, sanitized(), env::var_os("CXX")).hash(&mut hasher);
    hasher.finish()
}

/// Finds the kernel files and the headers below a folder, in the order of their names.
fn sources(folder: &Path, kernels: &mut Vec<PathBuf>, headers: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        match path.extension().and_then(|e| e.to_str()) {
            _ if path.is_dir() => sources(&path, kernels, headers),
            Some("cu") => kernels.push(path),
            Some("cuh" | "h") => headers.push(path),
            _ => {}
        }
    }
}

/// The C++ text that includes a kernel file and lists its kernels.
fn table(index: usize, path: &Path) -> String {
    let rows: String = read(path)
        .lines()
        .filter_map(|line| line.strip_prefix(MARK))
        .map(|line| {
            let (bound, rest) = line.split_once(") ").expect("KERNEL(threads) name(");
            let (name, _) = rest.split_once('(').expect("KERNEL(threads) name(");
            format!("    kernel(\"{name}\", {bound}, {name}),\n")
        })
        .collect();
    format!(
        "#include \"{}\"\n#include \"table.h\"\nnamespace emulated {{\n\
         extern const Kernel table{index}[];\nconst Kernel table{index}[] = {{\n{rows}    {{}},\n}};\n}}\n",
        path.display()
    )
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
