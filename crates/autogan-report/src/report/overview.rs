//! The head of the report says which run this is, how far it is, and its main numbers.

use autogan_run::clock::{date, duration};

use super::format::{Numbers, count, counted};
use super::page::Page;
use crate::chart::label;
use crate::data::{RunData, Status};
use crate::svg::escape;

pub(super) fn write(page: &mut Page, data: &RunData) {
    let summary = &data.summary;
    let what = match data.plan.training {
        Some(_) => "training from scratch",
        None => "architecture search",
    };
    page.raw(format_args!("<header><p class=\"kicker\">AutoGAN · {what}</p>"));
    page.raw(format_args!("<h1>{}</h1>", escape(&summary.name)));
    page.raw(format_args!("<p class=\"lede\">{}</p></header>\n", facts(data)));
    status(page, data);
    if !data.problems.is_empty() {
        page.raw("<aside class=\"problems\"><strong>Not everything could be read.</strong><ul>");
        for problem in &data.problems {
            page.raw(format_args!("<li>{}</li>", escape(problem)));
        }
        page.raw("</ul></aside>\n");
    }
    let numbers = numbers(data);
    if !numbers.is_empty() {
        page.raw("<dl class=\"key\">");
        for (name, value, small) in numbers {
            page.raw(format_args!(
                "<div><dt>{}</dt><dd>{}<small>{}</small></dd></div>",
                escape(name),
                escape(&value),
                escape(&small)
            ));
        }
        page.raw("</dl>\n");
    }
}

fn facts(data: &RunData) -> String {
    let summary = &data.summary;
    let named = |what: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("{what} <b>{}</b>", escape(value)))
    };
    let facts = [
        named("preset", &summary.preset),
        named("dataset", &summary.dataset),
        named("scored by", &summary.scorer),
        summary.seed.map(|seed| format!("seed <b>{seed}</b>")),
        summary.created_ms.map(|ms| format!("started {}", date(ms))),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn status(page: &mut Page, data: &RunData) {
    let summary = &data.summary;
    let done = done(data);
    let what = if data.plan.training.is_some() { "training" } else { "search" };
    let text = match &summary.status {
        Status::Finished => return,
        Status::Running { holder } => {
            format!(
                "This {what} is running ({done} so far; {holder}). The page shows what was stored when it was made."
            )
        }
        Status::Unfinished => {
            format!("This {what} was stopped before its end, after {done}. It can be resumed.")
        }
        Status::Empty => format!("This {what} has not stored anything yet."),
    };
    page.raw(format_args!("<p class=\"status\">{}</p>\n", escape(&text)));
}

fn done(data: &RunData) -> String {
    let summary = &data.summary;
    if data.plan.strategy.is_some() {
        return counted(summary.iterations_done.into(), "training");
    }
    let planned = summary.iterations.map_or(String::new(), |all| format!(" of {all}"));
    format!("{}{planned} iterations", summary.iterations_done)
}

/// Name, value and small print.
fn numbers(data: &RunData) -> Vec<(&'static str, String, String)> {
    let summary = &data.summary;
    let n = Numbers::of(&data.plan);
    let mut out = super::training::numbers(data);
    match (&summary.score, &summary.best) {
        (Some(s), _) => {
            let share = 100.0 * (s.best - s.untrained) / (s.real - s.untrained);
            let way = format!("{} % of the way from untrained to real", label(share, 0));
            out.push(("best found", n.score(s.best), way));
            out.push((
                "random architectures",
                n.score(s.median_random),
                match data.plan.strategy {
                    Some(_) => "median, trained alike".into(),
                    None => "median, same weights".into(),
                },
            ));
            out.push(("untrained generator", n.score(s.untrained), "the floor".into()));
            out.push(("real images", n.score(s.real), "the ceiling".into()));
        }
        (None, Some(best)) => {
            let place = match data.plan.strategy {
                Some(_) => format!("after {} iterations", best.iteration),
                None => format!("stage {}, iteration {}", best.stage + 1, best.iteration + 1),
            };
            out.push(("best score so far", n.score(best.score), place));
        }
        (None, None) => {}
    }
    if summary.trials > 0 {
        let distinct: std::collections::BTreeSet<_> =
            data.trials.iter().map(|row| &row.trial.row.arch).collect();
        let small = format!("{} different", count(distinct.len() as u64));
        let what = match data.plan.strategy {
            Some(_) => "trainings scored",
            None => "architectures scored",
        };
        out.push((what, count(summary.trials as u64), small));
    }
    if summary.seconds > 0.0 {
        let done = match data.plan.strategy {
            Some(_) => "all trainings".to_owned(),
            None => done(data),
        };
        out.push(("time", duration(summary.seconds), done));
    }
    out
}
