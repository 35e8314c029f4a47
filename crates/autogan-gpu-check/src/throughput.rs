//! These steps measure the speed of a search's main parts on a GPU, and PyTorch's on the same GPU.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::machine;
use super::report::{Obstacle, Outcome};
use super::steps::Session;

/// Cycles that are timed at each stage, after those that warm the GPU up.
const CYCLES: &str = "10";

/// Images through Inception: enough for a second or more.
const IMAGES: [&str; 6] = ["--images", "10000", "--batch", "100", "--repeat", "3"];

/// Shared training of a stage at the sizes of the paper, which are the command's own defaults.
pub fn supernet(session: &mut Session, stage: &str) -> Outcome {
    let archs = format!("benches/archs-stage{stage}.txt");
    let args = ["supernet", "--stage", stage, "--archs", &archs, "--cycles", CYCLES];
    measure(session, &args, "scripts/bench_supernet.py")
}

/// Features of small images.
pub fn inception(session: &mut Session) -> Outcome {
    let args = [&["inception"], IMAGES.as_slice()].concat();
    measure(session, &args, "scripts/bench_inception.py")
}

/// Our figure, and PyTorch's where it can be had; the first argument is the name of ours alone.
fn measure(session: &mut Session, args: &[&str], script: &str) -> Outcome {
    if session.quick {
        return Err(Obstacle::Skipped("--quick".into()));
    }
    let (program, toolkit) = session.program("autogan-cli", "autogan")?;
    let device = session.device.clone();
    let on = ["--device", device.as_str(), "--json"];
    let ours = Call::new(program, &[&["bench"], args, &on].concat()).with(&toolkit.env).aloud();
    let output = session.runner.run(&ours).succeeded()?;
    let Some((speed, ours)) = figure(&output.stdout) else {
        let reason = "expected images_per_s in a line of JSON, found none".to_owned();
        return Err(Obstacle::Failed { reason, tail: output.tail });
    };
    let mut found =
        Map::from_iter([("images_per_s".to_owned(), json!(speed)), ("measured".to_owned(), ours)]);
    let theirs = pytorch(session, &[&args[1..], &on].concat(), script);
    if let Ok((theirs, _)) = theirs {
        found.insert("ratio".into(), json!(speed / theirs));
    }
    let theirs = theirs.map_or_else(Value::from, |(_, measured)| measured);
    found.insert("pytorch".into(), theirs);
    Ok(found)
}

/// The faster of PyTorch's two layouts, or why there is neither.
fn pytorch(session: &mut Session, args: &[&str], script: &str) -> Result<(f64, Value), String> {
    let torch = machine::torch(session.runner, &session.python)?;
    session.facts.insert("torch".into(), torch);
    let mut best: Option<(f64, Value)> = None;
    for layout in [&[][..], &["--channels-last"]] {
        let call = Call::new(&session.python, &[&[script], args, layout].concat()).aloud();
        let output = session.runner.run(&call);
        if let Some(failure) = output.failure {
            let last = output.tail.lines().next_back().unwrap_or_default();
            return Err(format!("{failure}: {last}"));
        }
        let measured = figure(&output.stdout).ok_or("the script told no images_per_s")?;
        if best.as_ref().is_none_or(|(speed, _)| measured.0 > *speed) {
            best = Some(measured);
        }
    }
    best.ok_or_else(|| "nothing was measured".into())
}

/// Images per second in the last line of output that is JSON, and all that the line says.
fn figure(stdout: &str) -> Option<(f64, Value)> {
    let mut lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let value = lines.next_back()?;
    let speed = value["images_per_s"].as_f64().filter(|speed| *speed > 0.0)?;
    Some((speed, value))
}
