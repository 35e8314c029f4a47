//! This module asks the machine what the report says of it: GPUs, driver, compilers, the state of the repository.

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

/// Versions and the state of the repository.
pub fn facts(runner: &dyn Runner) -> Map<String, Value> {
    let said = |program: &str, args: &[&str]| {
        let output = runner.run(&Call::new(program, args));
        output.failure.is_none().then(|| output.stdout.trim().to_owned())
    };
    let system = || format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let release = std::fs::read_to_string("/etc/os-release").ok();
    let facts: [(&str, Value); 6] = [
        ("autogan", env!("CARGO_PKG_VERSION").into()),
        ("commit", said("git", &["rev-parse", "HEAD"]).into()),
        (
            "dirty",
            said("git", &["status", "--porcelain"]).map(|changed| !changed.is_empty()).into(),
        ),
        ("rustc", said("rustc", &["--version"]).into()),
        ("system", said("uname", &["-srm"]).unwrap_or_else(system).into()),
        ("distribution", release.as_deref().and_then(distribution).into()),
    ];
    facts.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
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
    let output = runner.run(&Call::new("nvidia-smi", &[&query, "--format=csv,noheader"]));
    if let Some(why) = output.why() {
        return Err(why.to_owned());
    }
    let gpus = read_gpus(&output.stdout);
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
    let output = runner.run(&Call::new(python, &["-c", ASK]));
    if let Some(why) = output.why() {
        return Err(format!(
            "{python} has no PyTorch ({why}); AUTOGAN_PYTHON names a Python that has it"
        ));
    }
    let found: Value = serde_json::from_str(output.stdout.trim())
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
        let fake = Fake::new(|_| fine(said));
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
        let failing = Fake::new(|_| failed("first\nFailed to initialize NVML"));
        assert_eq!(gpus(&failing).unwrap_err(), "Failed to initialize NVML");
        assert_eq!(gpus(&Fake::new(|_| fine(""))).unwrap_err(), NO_GPU);
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
        let found = facts(&Fake::new(answer));
        assert_eq!((&found["commit"], &found["dirty"]), (&json!("abc"), &json!(true)));
        assert_eq!(found["rustc"], json!("rustc 1.95.0"));
        let clean = |line: &str| if line.starts_with("git") { fine("") } else { failed("") };
        assert_eq!(facts(&Fake::new(clean))["dirty"], json!(false));
        assert_eq!(facts(&Fake::new(|_| failed("")))["commit"], Value::Null);
    }

    #[test]
    fn a_python_without_torch_or_without_gpus_is_explained() {
        let without = Fake::new(|_| failed("ModuleNotFoundError: No module named 'torch'"));
        let error = torch(&without, "python3").unwrap_err();
        assert!(error.contains("No module named 'torch'") && error.contains("AUTOGAN_PYTHON"));
        let with = |gpus: u32| {
            let said = json!({"version": "2.9", "cuda": null, "gpus": gpus}).to_string();
            torch(&Fake::new(|_| fine(&said)), "python3")
        };
        assert!(with(0).unwrap_err().contains("finds no GPU"));
        assert_eq!(with(1).unwrap()["version"], json!("2.9"));
    }
}
