//! What the machine is, as the report says it: GPUs, driver, compilers, the state of the repository.

use serde_json::{Map, Value, json};

use super::call::{Call, Runner};

/// What to ask nvidia-smi for, and under which names the answers are kept.
const QUERY: [(&str, &str); 4] = [
    ("name", "name"),
    ("driver_version", "driver"),
    ("memory.total", "memory"),
    ("compute_cap", "compute_capability"),
];

/// What nvidia-smi says where the driver is there and no GPU is.
pub const NO_GPU: &str = "No devices were found";

/// The first line of what a command says, where it succeeds and says something.
pub fn line(runner: &dyn Runner, program: &str, args: &[&str]) -> Option<String> {
    let finished = runner.run(&Call::new(program, args));
    let line = finished.stdout.lines().next()?.trim().to_owned();
    (finished.failure.is_none() && !line.is_empty()).then_some(line)
}

/// Versions and the state of the repository.
pub fn facts(runner: &dyn Runner) -> Map<String, Value> {
    let git = |args: &[&str]| {
        let finished = runner.run(&Call::new("git", args));
        finished.failure.is_none().then(|| finished.stdout.trim().to_owned())
    };
    let mut facts = Map::new();
    facts.insert("autogan".into(), env!("CARGO_PKG_VERSION").into());
    facts.insert("commit".into(), git(&["rev-parse", "HEAD"]).into());
    let changed = git(&["status", "--porcelain"]).map(|changed| !changed.is_empty());
    facts.insert("dirty".into(), changed.into());
    facts.insert("rustc".into(), line(runner, "rustc", &["--version"]).into());
    let system = line(runner, "uname", &["-srm"]);
    let system =
        system.unwrap_or_else(|| format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    facts.insert("system".into(), system.into());
    let release = std::fs::read_to_string("/etc/os-release").ok();
    facts.insert("distribution".into(), release.as_deref().and_then(distribution).into());
    facts
}

/// The name that `/etc/os-release` gives.
fn distribution(text: &str) -> Option<&str> {
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches('"'))
}

/// What nvidia-smi says of each GPU.
///
/// # Errors
/// The end of its output, or how it did not start.
pub fn gpus(runner: &dyn Runner) -> Result<Vec<Value>, String> {
    let query = format!("--query-gpu={}", QUERY.map(|(field, _)| field).join(","));
    let finished = runner.run(&Call::new("nvidia-smi", &[query.as_str(), "--format=csv,noheader"]));
    if let Some(failure) = finished.failure {
        let tail = finished.tail.lines().next_back().unwrap_or_default().to_owned();
        return Err(if tail.is_empty() { failure } else { tail });
    }
    let gpus = read_gpus(&finished.stdout);
    if gpus.is_empty() { Err(NO_GPU.into()) } else { Ok(gpus) }
}

/// A GPU for each line that has as many fields as were asked for.
fn read_gpus(csv: &str) -> Vec<Value> {
    let gpu = |line: &str| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        (fields.len() == QUERY.len()).then(|| {
            let named = QUERY.iter().zip(&fields);
            let named = named.map(|((_, name), field)| ((*name).to_owned(), (*field).into()));
            Value::Object(named.collect())
        })
    };
    csv.lines().filter_map(gpu).collect()
}

/// `13.0, V13.0.88` of what `nvcc --version` says.
pub fn nvcc_version(said: &str) -> Option<String> {
    let (_, version) = said.lines().find_map(|line| line.split_once("release "))?;
    Some(version.trim().to_owned())
}

/// A Python with PyTorch: its version and whether it computes on GPUs, or why there is none.
pub fn torch(runner: &dyn Runner, python: &str) -> Result<Value, String> {
    const ASK: &str = "import json, torch; print(json.dumps({'version': torch.__version__, \
                       'cuda': torch.version.cuda, 'gpus': torch.cuda.device_count()}))";
    let finished = runner.run(&Call::new(python, &["-c", ASK]));
    if let Some(failure) = finished.failure {
        let why = finished.tail.lines().next_back().unwrap_or(&failure).to_owned();
        return Err(format!(
            "{python} has no PyTorch ({why}); AUTOGAN_PYTHON names a Python that has it"
        ));
    }
    let found: Value = serde_json::from_str(finished.stdout.trim())
        .map_err(|error| format!("{python} does not answer in JSON: {error}"))?;
    if found["gpus"] == json!(0) {
        return Err(format!("PyTorch {} of {python} finds no GPU", found["version"]));
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // an unwrap is how a test fails
mod tests {
    use super::*;
    use crate::call::tests::{Fake, failed, fine};

    #[test]
    fn gpus_are_read_from_what_nvidia_smi_says() {
        let said = "NVIDIA H100 80GB HBM3, 580.65.06, 81559 MiB, 9.0\nTesla T4, 580.65.06, 15360 MiB, 7.5\n";
        let answer = |_: &str| fine(said);
        let fake = Fake::new(&answer);
        let found = gpus(&fake).unwrap();
        let h100 = json!({
            "name": "NVIDIA H100 80GB HBM3",
            "driver": "580.65.06",
            "memory": "81559 MiB",
            "compute_capability": "9.0",
        });
        assert_eq!((found.len(), &found[0]), (2, &h100));
        let line = fake.asked.borrow()[0].line();
        let fields = "--query-gpu=name,driver_version,memory.total,compute_cap";
        assert_eq!(line, format!("nvidia-smi {fields} --format=csv,noheader"));
    }

    #[test]
    fn without_gpus_the_reason_is_told() {
        let failing = |_: &str| failed("first\nFailed to initialize NVML");
        assert_eq!(gpus(&Fake::new(&failing)).unwrap_err(), "Failed to initialize NVML");
        let none = |_: &str| fine("");
        assert_eq!(gpus(&Fake::new(&none)).unwrap_err(), NO_GPU);
    }

    #[test]
    fn versions_are_read() {
        let said = "nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release 13.0, V13.0.88\n";
        assert_eq!(nvcc_version(said).as_deref(), Some("13.0, V13.0.88"));
        assert_eq!(nvcc_version("command not found"), None);
        assert_eq!(distribution("ID=x\nPRETTY_NAME=\"Debian 12\"\n"), Some("Debian 12"));
    }

    #[test]
    fn facts_of_the_repository() {
        let answer = |line: &str| match line {
            "git rev-parse HEAD" => fine("abc\n"),
            "git status --porcelain" => fine(" M x.rs\n"),
            "rustc --version" => fine("rustc 1.95.0\n"),
            _ => failed(""),
        };
        let found = facts(&Fake::new(&answer));
        assert_eq!((&found["commit"], &found["dirty"]), (&json!("abc"), &json!(true)));
        assert_eq!(found["rustc"], json!("rustc 1.95.0"));
        let clean = |line: &str| if line.starts_with("git") { fine("") } else { failed("") };
        assert_eq!(facts(&Fake::new(&clean))["dirty"], json!(false));
        let no_git = |_: &str| failed("");
        assert_eq!(facts(&Fake::new(&no_git))["commit"], Value::Null);
    }

    #[test]
    fn a_python_without_torch_or_without_gpus_is_explained() {
        let answer = |_: &str| failed("ModuleNotFoundError: No module named 'torch'");
        let error = torch(&Fake::new(&answer), "python3").unwrap_err();
        assert!(error.contains("No module named 'torch'") && error.contains("AUTOGAN_PYTHON"));
        let said =
            |gpus: u32| format!("{{\"version\": \"2.9\", \"cuda\": null, \"gpus\": {gpus}}}\n");
        let answer = |_: &str| fine(&said(0));
        assert!(torch(&Fake::new(&answer), "python3").unwrap_err().contains("finds no GPU"));
        let answer = |_: &str| fine(&said(1));
        assert_eq!(torch(&Fake::new(&answer), "python3").unwrap()["version"], json!("2.9"));
    }
}
