//! The page of whole, empty, unfinished and damaged run directories.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod common;
mod strategy;
mod training;

use std::fs;
use std::path::Path;

use autogan_report::stats::by_choice;
use autogan_report::{RunData, Status, report_html, write_report};
use autogan_run::RunDir;
use autogan_stats::difference;
use common::{CONFIG, Progress, run};
use roxmltree::{Document, Node, ParsingOptions};

fn parsed(html: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(html, options).unwrap_or_else(|error| panic!("{error}"))
}

fn elements<'a>(page: &'a Document<'_>, name: &str) -> Vec<Node<'a, 'a>> {
    page.descendants().filter(|node| node.tag_name().name() == name).collect()
}

fn classed<'a>(page: &'a Document<'_>, class: &str) -> Vec<Node<'a, 'a>> {
    let has = |node: &Node<'_, '_>| node.attribute("class").is_some_and(|c| c == class);
    page.descendants().filter(has).collect()
}

/// Panics unless the page is well-formed and fetches and runs nothing.
fn check_self_contained(html: &str) {
    let page = parsed(html);
    for forbidden in ["script", "link", "iframe", "object", "embed", "base", "form", "a"] {
        assert!(elements(&page, forbidden).is_empty(), "<{forbidden}>");
    }
    for node in page.descendants() {
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on"), "{name}");
            if matches!(name, "src" | "href" | "srcset" | "action" | "poster") {
                assert!(value.starts_with("data:image/png;base64,"), "{name} {value}");
            }
        }
    }
    let style: String = elements(&page, "style").iter().filter_map(|s| s.text()).collect();
    assert!(!style.contains("url(") && !style.contains("@import"));
    for outside in ["http:", "https:", "//"] {
        let rest = html.replace("http://www.w3.org/", "");
        // Base64 has slashes.
        let rest = rest
            .split("data:image/png;base64,")
            .map(|part| part.split_once('"').map_or(part, |(_, after)| after));
        let first = html.split("data:image/png;base64,").next().unwrap();
        assert!(!first.replace("http://www.w3.org/", "").contains(outside), "{outside}");
        assert!(rest.skip(1).all(|part| !part.contains(outside)), "{outside}");
    }
}

#[test]
fn a_finished_run_gives_the_whole_page() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(&dir.path().join("r"), &CONFIG, Progress::Finished);
    let (html, problems) = report_html(&run);
    assert_eq!(problems, [""; 0]);
    check_self_contained(&html);
    let page = parsed(&html);
    assert_eq!(elements(&page, "section").len(), 8);
    assert_eq!(elements(&page, "img").len(), 4, "a picture for each iteration");
    assert_eq!(classed(&page, "arch arch-figure").len(), 1);
    assert_eq!(classed(&page, "arch arch-glyph").len(), 1);
    assert_eq!(classed(&page, "reset").len(), 2 + 3, "in both charts of scores and three curves");
    assert!(classed(&page, "status").is_empty() && classed(&page, "problems").is_empty());
    for text in
        ["9.000", "untrained", "random", "search.iterations=8", "25 % of the way", "--top 1"]
    {
        assert!(html.contains(text), "{text}");
    }
    // Nine children, with a tooltip each in the wide chart.
    assert_eq!(classed(&page, "child").len(), 9);
    assert_eq!(report_html(&run).0, html, "the page follows from the directory");
}

#[test]
fn an_unfinished_run_says_so_and_shows_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my run");
    let run = run(&path, &CONFIG, Progress::Stopped);
    let (html, problems) = report_html(&run);
    assert_eq!(problems, [""; 0]);
    check_self_contained(&html);
    for text in [
        "stopped before its end, after 3 of 4 iterations",
        &format!("search --resume &#39;{}&#39;", path.display()),
        "Nothing has been derived yet",
        "2.500",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("autogan sample"), "there is nothing to sample from the list yet");
    let lock = autogan_run::RunLock::acquire(run.path()).unwrap();
    let data = RunData::read(&run);
    assert!(matches!(data.summary.status, Status::Running { .. }));
    assert!(report_html(&run).0.contains("This search is running"));
    drop(lock);
}

#[test]
fn an_empty_run_gives_an_honest_page() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(&dir.path().join("r"), &CONFIG, Progress::Empty);
    let (html, problems) = report_html(&run);
    assert_eq!(problems, [""; 0]);
    check_self_contained(&html);
    assert!(html.contains("has not stored anything yet"));
    // Killed before there was a store.
    fs::remove_file(run.store_path()).unwrap();
    let (html, problems) = report_html(&run);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("run.sqlite"), "{problems:?}");
    check_self_contained(&html);
}

#[test]
fn text_from_outside_is_never_markup() {
    let dir = tempfile::tempdir().unwrap();
    let evil = "<script>alert('x')</script>&\"";
    let config = CONFIG.replace("\"tiny\"", &toml_string(evil));
    let run = run(&dir.path().join("a<b>&'c"), &config, Progress::Finished);
    let (html, _) = report_html(&run);
    check_self_contained(&html);
    assert!(html.contains("&lt;script&gt;"));
    assert!(html.contains("a&lt;b&gt;&amp;&#39;c"));
}

fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

#[test]
fn damage_is_said_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(&dir.path().join("r"), &CONFIG, Progress::Finished);
    let (good, _) = report_html(&run);
    let picture = fs::read_dir(run.samples_path()).unwrap().next().unwrap().unwrap().path();
    let files = [run.store_path(), run.arch_path(), run.host_path(), picture];
    for file in files {
        each_damage(&file, |what| {
            let (html, problems) = report_html(&run);
            check_self_contained(&html);
            // Some bytes mean nothing, as the free ones of a page of SQLite.
            let harmless = html == good && problems.is_empty();
            assert!(harmless || !problems.is_empty(), "{} {what}", file.display());
        });
    }
    fs::write(run.arch_path(), "{}").unwrap();
    let data = RunData::read(&run);
    assert_eq!((data.summary.status, data.summary.score), (Status::Finished, None));
    assert!(report_html(&run).0.contains("The result cannot be read."));
    // The configuration has no checksum; whatever is in it, there is a page.
    each_damage(&run.config_path(), |_| check_self_contained(&report_html(&run).0));
}

/// Calls `check` with the file emptied, cut, zeroed in part, and one bit flipped in many places.
fn each_damage(path: &Path, mut check: impl FnMut(&str)) {
    let good = fs::read(path).unwrap();
    let mut attempt = |what: String, bad: &[u8]| {
        fs::write(path, bad).unwrap();
        check(&what);
    };
    for cut in [0, 1, good.len() / 2, good.len() - 1] {
        attempt(format!("cut to {cut}"), &good[..cut]);
        let mut zeroed = good.clone();
        zeroed[cut..].fill(0);
        attempt(format!("zeros from {cut}"), &zeroed);
    }
    for (at, bit) in (0..good.len()).step_by((good.len() / 60).max(1) | 1).zip((0..8).cycle()) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << bit;
        attempt(format!("bit {bit} of byte {at}"), &flipped);
    }
    fs::write(path, good).unwrap();
}

#[test]
fn statistics_by_choice_are_those_worked_out_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(&dir.path().join("r"), &CONFIG, Progress::Stopped);
    let data = RunData::read(&run);
    let stats = by_choice(&data);
    let conv = stats.iter().find(|s| s.cell == 0 && s.token == "conv").unwrap();
    // Means 2 and 6.5 of the two iterations. `1 0 1 0` is pre: -1 and -1.5, on average -1.25;
    // `1 1 1 0` is pre: -0.5. Post: 1 and 0.5, on average 0.75; and 1.5.
    let [post, pre] = conv.choices.as_slice() else { panic!("{conv:?}") };
    assert_eq!((pre.choice.as_str(), pre.trials, pre.mean_score), ("pre", 3, 4.0));
    assert_eq!((post.trials, post.mean_score), (3, 6.0));
    assert_eq!(pre.relative, [-1.25, -0.5]);
    assert_eq!(post.relative, [0.75, 1.5]);
    // Both spread by 0.28125 of variance: the error is sqrt(0.28125), with two degrees of freedom,
    // for which the quantile is 4.302653.
    let d = difference(&pre.relative, &post.relative).unwrap();
    assert!((d.estimate + 2.0).abs() < 1e-12);
    assert!((d.high - d.estimate - 4.302_653 * 0.281_25_f64.sqrt()).abs() < 1e-5, "{d:?}");
    // The second cell was drawn twice; the first cell's choices do not count there.
    let skip = stats.iter().find(|s| s.token == "skip from cell 1").unwrap();
    assert_eq!(skip.cell, 1);
    assert_eq!(skip.choices.iter().map(|c| c.trials).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn the_data_knows_iterations_stages_and_policy() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(&dir.path().join("r"), &CONFIG, Progress::Stopped);
    let data = RunData::read(&run);
    let spans: Vec<_> = data.stages.iter().map(|s| (s.stage, s.first, s.end, s.side)).collect();
    assert_eq!(spans, [(0, 0, 2, Some(8)), (1, 2, 3, Some(16))]);
    assert_eq!(data.stages[1].real, Some(9.0));
    assert_eq!((data.summary.iterations_done, data.summary.status.word()), (3, "unfinished"));
    assert_eq!(data.scalars["loss/d"].at[..4], [1.0 / 6.0, 0.5, 5.0 / 6.0, 1.0 + 1.0 / 6.0]);
    let reset = data.events.iter().find(|event| event.kind == "reset").unwrap();
    assert_eq!(reset.iteration, 1);
    assert_eq!(data.policy.len(), 2, "conv in two stages");
    assert_eq!(data.policy[0].iteration, [0, 1]);
    assert_eq!(data.policy[0].probability, [[0.25, 0.25], [0.75, 0.75]]);
    let json = serde_json::to_value(&data).unwrap();
    assert_eq!(json["trials"][0]["score"], 1.0);
    assert_eq!(json["trials"][0]["choice"].as_array().unwrap().len(), 4);
    assert_eq!(json["summary"]["status"]["state"], "unfinished");
}

#[test]
fn a_copy_elsewhere_gives_the_same_page_and_an_old_page_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let original = run(&dir.path().join("one/r"), &CONFIG, Progress::Finished);
    let copy = dir.path().join("two/r");
    copy_dir(original.path(), &copy);
    let copy = RunDir::open(&copy).unwrap();
    let page = report_html(&original).0;
    assert_eq!(page.replace("one/r", "two/r"), report_html(&copy).0);
    fs::write(copy.report_path(), "old").unwrap();
    let written = write_report(&copy, None).unwrap();
    assert_eq!(written.path, copy.report_path());
    assert_eq!(fs::read_to_string(written.path).unwrap(), report_html(&copy).0);
    let out = dir.path().join("missing/page.html");
    let error = write_report(&copy, Some(&out)).unwrap_err().to_string();
    assert!(error.contains("page.html"), "{error}");
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_dir(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
