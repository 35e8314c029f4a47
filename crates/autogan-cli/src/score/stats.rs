//! `autogan score stats` keeps mean and covariance of images: in a file, or under a name. It lists the names.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, bail, ensure};
use autogan_files::atomic;
use autogan_metrics::io::{
    StatsNote, StatsRegistry, StatsSummary, StoredStatistics, summarise_statistics, write_stored,
};
use autogan_run::export::{Align, aligned};
use clap::ArgGroup;
use serde_json::json;

use super::looked::Looked;
use super::named::{PUBLISHED, STATS, registry};
use super::sets::{Set, Sets};
use super::{Options, pipe};

/// Keep mean and covariance of images, or list the names under which they are kept.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("to").args(["output", "name"]).multiple(true).requires("input"))]
pub struct Args {
    /// Images or statistics, as for `autogan score`; without it, the names are listed
    #[arg(value_name = "REF", requires = "to")]
    input: Option<String>,
    /// File to write, .npz with mu and sigma
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep them under this name: `autogan score GEN stats:NAME` compares with them
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// What the images are, for the list of names [default: REF]
    #[arg(long, value_name = "TEXT", requires = "to")]
    about: Option<String>,
    /// Replace what has this name
    #[arg(long, requires = "name")]
    force: bool,
    /// Remove what has this name
    #[arg(long, value_name = "NAME", conflicts_with_all = ["input", "output", "name"])]
    remove: Option<String>,
    /// Print the list as JSON
    #[arg(long, conflicts_with_all = ["input", "remove"])]
    json: bool,
    #[command(flatten)]
    options: Options,
}

/// Carries the command out. It fails when images cannot be read, weights cannot be had, a name cannot be, is taken or is
/// unknown, or nothing can be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match (&args.input, &args.remove) {
        (Some(input), _) => keep(args, input),
        (None, Some(name)) => remove(name),
        (None, None) => list(args.json),
    }
}

/// Where statistics go.
struct Target<'a> {
    file: Option<&'a PathBuf>,
    name: Option<(StatsRegistry, &'a str)>,
}

impl<'a> Target<'a> {
    /// The target that is asked for. It fails where nothing could be written, before there is anything to write.
    fn probed(args: &'a Args) -> anyhow::Result<Self> {
        let file = args.output.as_ref();
        if let Some(file) = file {
            ensure!(
                file.extension().is_some_and(|e| e == "npz"),
                "-o {}: expected a name that ends in .npz",
                file.display()
            );
            atomic::probe(file)?;
        }
        let Some(name) = args.name.as_deref() else { return Ok(Self { file, name: None }) };
        if PUBLISHED.iter().any(|published| published.name == name) {
            bail!("--as {name}: this is the name of published statistics; take another one");
        }
        let registry = registry()?;
        registry.probe(name, args.force).with_context(|| format!("--as {name}"))?;
        Ok(Self { file, name: Some((registry, name)) })
    }

    fn write(&self, args: &Args, stored: &StoredStatistics) -> anyhow::Result<()> {
        let of = match stored.stats.count {
            Some(count) => format!("statistics of {count} images"),
            None => "statistics".to_owned(),
        };
        if let Some(file) = self.file {
            write_stored(file, stored)?;
            args.options.note(&format!("{of} in {}", file.display()));
        }
        if let Some((registry, name)) = &self.name {
            registry.save(name, stored, args.force).with_context(|| format!("--as {name}"))?;
            args.options.note(&format!("{of}: autogan score GEN {STATS}{name}"));
        }
        Ok(())
    }
}

fn keep(args: &Args, input: &str) -> anyhow::Result<()> {
    args.options.check()?;
    let target = Target::probed(args)?;
    let mut sets = Sets::new(&args.options);
    let looked = sets.look(&[input])?.pop().context("one set is looked at")?;
    let stored = match looked.stored() {
        Some(stored) if target.file.is_none() => stored.clone(),
        Some(_) => bail!(
            "{input}: these are statistics already; --as NAME keeps those of a file under a name"
        ),
        None => made(&mut sets, looked)?,
    };
    let data = args
        .about
        .clone()
        .or(stored.note.data.clone())
        .unwrap_or_else(|| pipe::label(input).to_owned());
    let made = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let note = StatsNote { data: Some(data), made: stored.note.made.clone().or(Some(made)) };
    target.write(args, &StoredStatistics { note, ..stored })
}

/// The statistics of images, or of features that another program made.
fn made(sets: &mut Sets<'_>, looked: Looked) -> anyhow::Result<StoredStatistics> {
    let set = sets.read(looked)?;
    let stats = set.statistics()?;
    let ours = matches!(&set, Set::Features { made_with: Some(_), .. });
    let protocol = ours.then(|| sets.protocol(set.count().unwrap_or(0)));
    Ok(StoredStatistics { stats, spatial: None, protocol, note: StatsNote::default() })
}

fn remove(name: &str) -> anyhow::Result<()> {
    let registry = registry()?;
    let name = name.strip_prefix(STATS).unwrap_or(name);
    if !registry.remove(name)? {
        let known = registry.names()?;
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        bail!(
            "--remove {name}: there are no statistics of this name in {}; there are: {known}",
            registry.dir().display()
        );
    }
    Ok(())
}

/// A line of the list.
struct Row {
    name: String,
    count: Option<usize>,
    protocol: Option<String>,
    weights: Option<String>,
    made: Option<String>,
    data: Option<String>,
    published: bool,
}

impl Row {
    fn own(name: String, summary: StatsSummary) -> Self {
        let StatsSummary { protocol, note, .. } = summary;
        let (count, weights) = match &protocol {
            Some(protocol) => (Some(protocol.count), protocol.weights_sha256.clone()),
            None => (None, None),
        };
        let protocol = protocol.map(|protocol| protocol.extractor);
        Self { name, count, protocol, weights, made: note.made, data: note.data, published: false }
    }

    fn cells(&self) -> [String; 5] {
        let known = |text: Option<&str>| text.unwrap_or("?").to_owned();
        let made = if self.published { Some("published") } else { self.made.as_deref() };
        let count = self.count.map(|count| count.to_string());
        [
            self.name.clone(),
            known(count.as_deref()),
            known(self.protocol.as_deref()),
            known(made.map(|made| made.split('T').next().unwrap_or(made))),
            known(self.data.as_deref()),
        ]
    }
}

fn list(as_json: bool) -> anyhow::Result<()> {
    let registry = registry()?;
    let mut rows = Vec::new();
    for name in registry.names()? {
        let Some(path) = registry.find(&name)? else { continue };
        match summarise_statistics(&path) {
            Ok(summary) => rows.push(Row::own(name, summary)),
            Err(error) => crate::terminal::warn(&format!(
                "{STATS}{name} cannot be read: {error} (autogan score stats --remove {name} removes it)"
            )),
        }
    }
    rows.extend(PUBLISHED.iter().map(|published| Row {
        name: published.name.to_owned(),
        count: None,
        protocol: Some(published.extractor()),
        weights: None,
        made: None,
        data: Some(published.data.to_owned()),
        published: true,
    }));
    if as_json {
        let objects: Vec<_> = rows.iter().map(object).collect();
        println!("{}", serde_json::to_string_pretty(&objects)?);
        return Ok(());
    }
    let heads = ["NAME", "IMAGES", "PROTOCOL", "MADE", "DATA"].map(str::to_owned).to_vec();
    let lines: Vec<Vec<String>> =
        std::iter::once(heads).chain(rows.iter().map(|row| row.cells().to_vec())).collect();
    let align = [Align::Left, Align::Right, Align::Left, Align::Left, Align::Left];
    crate::terminal::print(aligned(&lines, &align).as_bytes())
}

fn object(row: &Row) -> serde_json::Value {
    json!({
        "name": row.name,
        "count": row.count,
        "protocol": row.protocol,
        "weights_sha256": row.weights,
        "made": row.made,
        "data": row.data,
        "published": row.published,
    })
}
