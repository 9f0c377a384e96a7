//! The pages of the documentation, as tests read them: their code, headings and links.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

/// The text of a page, by its path below the root of the workspace.
///
/// # Panics
/// If there is no such page.
#[must_use]
pub fn page(path: &str) -> String {
    fs::read_to_string(crate::root().join(path)).unwrap_or_else(|error| panic!("can't read {path}: {error}"))
}

/// The blocks of code of that language.
#[must_use]
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).map(|part| part.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// The texts in backticks in the first cells of the table of that name.
///
/// # Panics
/// If there is no such table.
#[must_use]
pub fn first_cells(text: &str, name: &str) -> BTreeSet<String> {
    let cells = table(text, name).filter_map(|row| row.strip_prefix("| `")?.split('`').next());
    cells.map(str::to_owned).collect()
}

/// The texts in backticks in the last cells of the table of that name.
///
/// # Panics
/// If there is no such table.
#[must_use]
pub fn last_cells(text: &str, name: &str) -> BTreeSet<String> {
    let cells = table(text, name).filter_map(|row| row.trim_end().trim_end_matches('|').rsplit('|').next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The rows of the table between the comments `<!-- NAME -->` and `<!-- /NAME -->`.
fn table<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (table, _) = text
        .split_once(&format!("<!-- {name} -->"))
        .and_then(|(_, rest)| rest.split_once(&format!("<!-- /{name} -->")))
        .expect("the table between its comments");
    table.lines().filter(|line| line.starts_with('|'))
}

/// The dead links of a page: to a file that is not in the folder `root`, or to a heading that is not on the page. Does
/// not check links to other sites.
///
/// # Panics
/// If the page can't be read.
#[must_use]
pub fn dead_links(root: &Path, page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).expect("a page");
    let folder = page.parent().expect("a folder");
    let leads_somewhere = |link: &str| {
        let (path, heading) = link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading)));
        let target = if path.is_empty() { page.to_owned() } else { folder.join(path) };
        let Ok(target) = target.canonicalize() else { return false };
        let is_ours = target.starts_with(root.canonicalize().expect("a folder"));
        let has = |heading| fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(heading));
        is_ours && heading.is_none_or(has)
    };
    let is_elsewhere = |link: &String| link.starts_with("https://") || link.starts_with("http://");
    let links = links(&text).into_iter().filter(|link| !is_elsewhere(link));
    links.filter(|link| !leads_somewhere(link)).map(|link| format!("{}: {link}", page.display())).collect()
}

/// Everything that the page links to or shows.
fn links(text: &str) -> Vec<String> {
    let code = Regex::new("`[^`\n]+`").expect("a pattern");
    let link = Regex::new(r"\]\(\s*([^)\s]+)[^)]*\)").expect("a pattern");
    let prose = code.replace_all(&without_blocks(text), "`").into_owned();
    link.captures_iter(&prose).map(|found| found[1].to_owned()).collect()
}

/// The anchors of the headings, built as GitHub and GitLab do.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen = BTreeMap::new();
    let prose = without_blocks(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let lower = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = lower.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
        let base = kept.collect::<String>().replace(' ', "-");
        let count = seen.entry(base.clone()).and_modify(|count| *count += 1).or_insert(0);
        if *count == 0 { base } else { format!("{base}-{count}") }
    };
    headings.map(anchor).collect()
}

fn without_blocks(text: &str) -> String {
    text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}
