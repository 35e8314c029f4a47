//! [`nas_gan_bench`] reads the files of NAS-GAN-Bench-101: full trainings of another search space, published with CAGAN.
//!
//! `fid.csv` has a line for each training: the `genotype`, numbers with spaces between them, and the FID after every tenth
//! epoch as `epoch_0`, `epoch_10` and so on. The same genotype on several lines was trained several times.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use autogan_strategies::{Point, Space, Token};

use crate::error::{CompareError, Result};
use crate::tabular::{Judge, Tabular, fidelities};
use crate::testbed::About;
use crate::trainings::{Entry, Training};

/// The epochs that are fidelities, as far as the file has them.
const EPOCHS: [usize; 5] = [20, 40, 80, 160, 240];

/// The trainings in the file `fid.csv` of a folder. A value is −log of the lowest FID so far, and costs are epochs.
///
/// # Errors
/// When the file cannot be read, a line of it is damaged, or it has fewer than two epochs of 20, 40, 80, 160 and 240 or
/// fewer than three genotypes.
pub fn nas_gan_bench(dir: &Path) -> Result<Tabular> {
    let path = dir.join("fid.csv");
    let text = std::fs::read_to_string(&path)
        .map_err(|source| CompareError::Read { path: path.clone(), source })?;
    let file = File::parse(path, &text)?;
    let (space, points) = file.space()?;
    let mut trainings: BTreeMap<Point, Vec<Training>> = BTreeMap::new();
    for (point, line) in points.into_iter().zip(file.lines) {
        let costs = file.epochs.iter().map(|&epoch| epoch as f64).collect();
        trainings.entry(point).or_default().push(Training { values: line.values, costs });
    }
    let entry = |(point, trainings)| Entry { point, trainings };
    let entries: Vec<Entry> = trainings.into_iter().map(entry).collect();
    if entries.len() < 3 {
        let what = format!("genotypes in {}", file.path.display());
        return Err(CompareError::unfit(what, "three or more", entries.len().to_string()));
    }
    let names: Vec<String> = file.epochs.iter().map(|epoch| format!("{epoch} epochs")).collect();
    let fidelities = fidelities(&entries, &names);
    Tabular::of_entries(about(&entries), space, fidelities, entries, Judge::All)
}

/// What the file holds.
struct File {
    path: PathBuf,
    epochs: Vec<usize>,
    lines: Vec<Line>,
}

struct Line {
    genotype: Vec<u8>,
    values: Vec<Option<f64>>,
}

impl File {
    fn parse(path: PathBuf, text: &str) -> Result<Self> {
        let wrong = |line: usize, expected: &str, found: &str| CompareError::Line {
            path: path.clone(),
            line,
            expected: expected.into(),
            found: format!("'{found}'"),
        };
        let mut lines = text.lines().enumerate();
        let header = lines.next().map_or("", |(_, line)| line);
        let names: Vec<&str> = header.split(',').collect();
        let epoch = |name: &&str| name.strip_prefix("epoch_")?.parse::<usize>().ok();
        let columns: Vec<(usize, Option<usize>)> = names.iter().map(epoch).enumerate().collect();
        let in_file = |epoch: &usize| columns.iter().any(|(_, other)| *other == Some(*epoch));
        let epochs: Vec<usize> = EPOCHS.into_iter().filter(in_file).collect();
        if names.first() != Some(&"genotype") || epochs.len() < 2 {
            let expected = "the columns 'genotype' and two or more of epoch_20, 40, 80, 160, 240";
            return Err(wrong(1, expected, header));
        }
        let mut parsed: Vec<Line> = Vec::new();
        for (at, line) in lines {
            let cells: Vec<&str> = line.split(',').collect();
            if cells.len() != names.len() {
                return Err(wrong(at + 1, &format!("{} columns", names.len()), line));
            }
            let numbers = cells[0].split_whitespace().map(|number| number.parse().ok());
            let genotype: Option<Vec<u8>> = numbers.collect();
            let length = parsed.first().map(|first| first.genotype.len());
            let genotype =
                genotype.filter(|g| !g.is_empty() && length.is_none_or(|n| n == g.len()));
            let genotype = genotype.ok_or_else(|| {
                let like = "a genotype of numbers from 0 to 255, as many as in the first line";
                wrong(at + 1, like, cells[0])
            })?;
            let mut fids = Vec::new();
            for &(column, epoch) in &columns {
                let Some(epoch) = epoch else { continue };
                let like = "a FID above 0, or nothing where the training diverged";
                let fid = fid(cells[column]).ok_or_else(|| wrong(at + 1, like, cells[column]))?;
                fids.push((epoch, fid));
            }
            let values = epochs.iter().map(|&epoch| value(&fids, epoch)).collect();
            parsed.push(Line { genotype, values });
        }
        Ok(Self { path, epochs, lines: parsed })
    }

    /// The space of the numbers that vary, and the point of each line.
    fn space(&self) -> Result<(Space, Vec<Point>)> {
        let length = self.lines.first().map_or(0, |line| line.genotype.len());
        let mut tokens = Vec::new();
        let mut varying = Vec::new();
        for at in 0..length {
            let seen: BTreeSet<u8> = self.lines.iter().map(|line| line.genotype[at]).collect();
            if seen.len() > 1 {
                let choices = seen.iter().map(u8::to_string).collect();
                tokens.push(Token { name: format!("number {}", at + 1), choices, kind: None });
                varying.push((at, seen));
            }
        }
        let point = |line: &Line| {
            let choice = |(at, seen): &(usize, BTreeSet<u8>)| {
                seen.iter().take_while(|&&number| number < line.genotype[*at]).count() as u8
            };
            Point(varying.iter().map(choice).collect())
        };
        let points = self.lines.iter().map(point).collect();
        Ok((Space::of_tokens(tokens), points))
    }
}

/// A FID; infinity for a training that had diverged, `None` for what is none.
fn fid(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("nan") {
        return Some(f64::INFINITY);
    }
    text.parse().ok().filter(|fid: &f64| *fid > 0.0)
}

/// −log of the lowest FID up to an epoch, as of a training of which the best generator is kept; `None` without any.
fn value(fids: &[(usize, f64)], epoch: usize) -> Option<f64> {
    let so_far = fids.iter().filter(|(at, _)| *at <= epoch).map(|(_, fid)| *fid);
    let lowest = so_far.fold(f64::INFINITY, f64::min);
    lowest.is_finite().then(|| -lowest.ln())
}

fn about(entries: &[Entry]) -> About {
    let trainings: usize = entries.iter().map(|entry| entry.trainings.len()).sum();
    let once = entries.iter().filter(|entry| entry.trainings.len() == 1).count();
    About {
        name: "NAS-GAN-Bench-101".into(),
        value: "−log FID".into(),
        unit: "epochs".into(),
        notes: vec![
            format!(
                "Another search space than AutoGAN's: {} genotypes, trained {trainings} times at full size. Strategies \
                 know and search only these, which are a small part of their space.",
                entries.len()
            ),
            format!(
                "{once} genotypes were trained once. A genotype is judged by all its trainings, also by those that the \
                 strategy was told: a strategy that returns what was lucky is not found out here."
            ),
            "A value is that of the best generator so far: the lowest FID of the epochs up to the length. Many trainings \
             collapse later."
                .into(),
            "A repeat of a genotype is another training of it. A strategy that asks for more than there are is given \
             one of them again, at its full cost."
                .into(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use autogan_strategies::Query;

    use super::*;
    use crate::testbed::Testbed;

    const FILE: &str = "genotype,epoch_0,epoch_20,epoch_40\n\
                        1 5 0,300,100,50\n1 6 2,300,80,40\n1 5 0,300,90,\n1 9 2,300,70,30\n";

    fn read(text: &str) -> Result<Tabular> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("fid.csv"), text).unwrap();
        nas_gan_bench(dir.path())
    }

    #[test]
    fn genotypes_are_points_and_lines_are_trainings() {
        let table = read(FILE).unwrap();
        // The first number never varies; the second has 3 values, the third 2.
        let sizes: Vec<usize> = table.space().tokens().iter().map(|t| t.choices.len()).collect();
        assert_eq!((sizes, table.space().count()), (vec![3, 2], 3));
        assert_eq!(table.space().tokens()[0].choices, ["5", "6", "9"]);
        let costs: Vec<f64> = table.fidelities().iter().map(|fidelity| fidelity.cost).collect();
        assert_eq!(costs, [20.0, 40.0]);
        let world = table.world(0).unwrap();
        let twice = Point(vec![0, 0]);
        let told = |repeat, fidelity| {
            world.training(&Query { point: twice.clone(), fidelity, repeat }).unwrap().value
        };
        let mut both = [told(0, 0).unwrap(), told(1, 0).unwrap()];
        both.sort_by(f64::total_cmp);
        assert_eq!(both, [-(100.0_f64.ln()), -(90.0_f64.ln())]);
        // One of them has 50 after 40 epochs; of the other, 90 after 20 epochs stays the best.
        let mut both = [told(0, 1).unwrap(), told(1, 1).unwrap()];
        both.sort_by(f64::total_cmp);
        assert_eq!(both, [-(90.0_f64.ln()), -(50.0_f64.ln())]);
        let judged = world.judged(&twice, &BTreeSet::from([0])).unwrap();
        assert!((judged + (50.0_f64.ln() + 90.0_f64.ln()) / 2.0).abs() < 1e-12);
        assert!((world.best() + 30.0_f64.ln()).abs() < 1e-12);
        assert_eq!(world.trainings(&Point(vec![1, 1])), Some(1));
    }

    #[test]
    fn damaged_files_are_refused_with_their_line() {
        for (from, to, says) in [
            ("genotype,", "", "line 1: expected the columns"),
            ("1 6 2,", "1 6,", "line 3: expected a genotype"),
            ("1 6 2,", "1 x 2,", "line 3: expected a genotype"),
            ("80,40", "80", "line 3: expected 4 columns"),
            ("70,30", "70,-3", "line 5: expected a FID above 0"),
            ("epoch_40", "epoch_41", "line 1"),
        ] {
            let error = read(&FILE.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(says), "{error}: {says}");
        }
        let few = FILE.lines().take(3).collect::<Vec<_>>().join("\n");
        assert!(read(&few).unwrap_err().to_string().contains("three or more, found 2"));
        let error = nas_gan_bench(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/fid.csv"), "{error}");
    }
}
