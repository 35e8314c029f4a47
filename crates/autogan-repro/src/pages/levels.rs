//! Figure 10: all cells in one stage (SLAS) against one after the other (MLAS).

use super::compare;
use super::context::Context;
use super::page::Page;
use super::versus::{Along, arms, plot_course, saved, searches};
use crate::error::Result;
use crate::job::Method;

pub(super) fn write(page: &mut Page, context: &Context<'_>) -> Result<()> {
    let methods = [(Method::Controller, "multi-level"), (Method::Single, "single-level")];
    for dataset in context.scope.datasets() {
        page.heading(&format!("On {}", dataset.title()));
        let found = searches(context, dataset, methods)?;
        for (along, over) in [(Along::Images, "images"), (Along::Seconds, "seconds")] {
            let title = format!("Reward over {over}, {}", dataset.title());
            let file = format!("fig10-{}-{over}.svg", dataset.name());
            plot_course(page, &title, &file, &found, along);
        }
        page.text(
            "While the multi-level search is in its first two stages, its children are smaller networks whose images \
             have a half or a quarter of the side; only the last part of its lines compares with the single-level \
             search.",
        );
        let arms = arms(context, dataset, methods, &found)?;
        let stem = format!("fig10-{}", dataset.name());
        let verdicts = compare::write(page, &arms, context.seeds(), &stem);
        saved(page, &arms);
        page.list(&verdicts);
    }
    Ok(())
}
