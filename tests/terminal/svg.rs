//! A film of a terminal's screen, as an SVG that plays itself.
//!
//! Whatever is drawn at one place is an element, with the frames during which it is there. What comes
//! and goes together is a group with an animation of its own. Without animation the last frame is left.

use std::collections::{BTreeMap, BTreeSet};

use vt100::{Cell, Color, Screen};

/// A cell of the screen. A letter of this size is as wide, or nearly so, in the fonts that machines
/// have; `textLength` keeps the columns with any font.
const CELL: (usize, usize) = (10, 21);
const FONT: &str = "font-size='16.6' font-family='ui-monospace,SFMono-Regular,Menlo,Consolas,\
                    DejaVu Sans Mono,Liberation Mono,monospace'";
/// How far below the top of its cell a letter stands.
const BASELINE: usize = 16;

/// What is around the screen.
const MARGIN: usize = 18;
const TITLE_BAR: usize = 38;

/// A frame that is seen on a white page and on a black one, and what is written in it.
const BACKGROUND: &str = "fill='#161b22' stroke='#444c56'";
const FOREGROUND: &str = "#e6edf3";

/// Frames, each with what is drawn in it and how many milliseconds it is seen.
#[derive(Default)]
pub(super) struct Film(Vec<(BTreeSet<String>, u32)>);

impl Film {
    pub(super) fn show(&mut self, screen: &Screen, milliseconds: u32) {
        let (rows, _) = screen.size();
        let mut elements: BTreeSet<String> =
            (0..rows.get()).flat_map(|row| texts(screen, row)).collect();
        if !screen.hide_cursor() {
            elements.insert(cursor(screen));
        }
        self.0.push((elements, milliseconds));
    }

    /// All frames, for a screen of so many rows and columns. After the last it begins anew.
    pub(super) fn svg(&self, (rows, columns): (u16, u16)) -> String {
        let width = 2 * MARGIN + usize::from(columns) * CELL.0;
        let height = TITLE_BAR + usize::from(rows) * CELL.1 + MARGIN;
        let (right, bottom) = (width - 1, height - 1);
        let (mut keyframes, mut groups) = (String::new(), String::new());
        for ((begin, end), elements) in self.groups() {
            let (from, to) = (self.percent(begin), self.percent(end));
            let is_last = end == self.0.len();
            let class = if is_last { " class='last'" } else { "" };
            keyframes += &format!(
                "@keyframes f{begin}-{end}{{0%{{visibility:hidden}}{from}%{{visibility:visible}}\
                 {to}%{{visibility:hidden}}}}\n"
            );
            groups += &format!("<g{class} style='animation-name:f{begin}-{end}'>\n");
            groups.extend(elements);
            groups += "</g>\n";
        }
        let seconds = f64::from(self.milliseconds(self.0.len())) / 1000.0;
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' \
             viewBox='0 0 {width} {height}' fill='{FOREGROUND}' {FONT}>\n\
             <style>\n\
             g{{visibility:hidden;animation:{seconds}s step-end infinite}}\n\
             .last{{visibility:visible}}\n\
             @media(prefers-reduced-motion:reduce){{g{{animation:none}}}}\n\
             {keyframes}</style>\n\
             <rect x='.5' y='.5' width='{right}' height='{bottom}' rx='10' {BACKGROUND}/>\n\
             <circle cx='22' cy='20' r='6' fill='#ff5f57'/>\
             <circle cx='42' cy='20' r='6' fill='#febc2e'/>\
             <circle cx='62' cy='20' r='6' fill='#28c840'/>\n\
             {groups}</svg>\n"
        )
    }

    /// What is drawn, by the first frame that has it and the first that has it no longer.
    fn groups(&self) -> BTreeMap<(usize, usize), Vec<&str>> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let has = |frame: usize, element: &str| self.0[frame].0.contains(element);
        for (begin, (elements, _)) in self.0.iter().enumerate() {
            let is_new = |element: &&str| begin == 0 || !has(begin - 1, element);
            for element in elements.iter().map(String::as_str).filter(is_new) {
                let end = (begin..self.0.len()).find(|frame| !has(*frame, element));
                let group = groups.entry((begin, end.unwrap_or(self.0.len())));
                group.or_default().push(element);
            }
        }
        groups
    }

    /// When a frame begins, of the whole.
    fn percent(&self, frame: usize) -> String {
        let whole = f64::from(self.milliseconds(self.0.len()));
        format!("{:.3}", 100.0 * f64::from(self.milliseconds(frame)) / whole)
    }

    fn milliseconds(&self, frames: usize) -> u32 {
        self.0[..frames].iter().map(|(_, duration)| duration).sum()
    }
}

/// What is written in a row, in pieces of one look.
fn texts(screen: &Screen, row: u16) -> Vec<String> {
    let (_, columns) = screen.size();
    let cells: Vec<(u16, &Cell)> = (0..columns.get())
        .map(|column| (column, screen.cell(row, column).unwrap()))
        .collect();
    let pieces = cells.chunk_by(|(_, one), (_, next)| look(one) == look(next));
    pieces.filter_map(|piece| text(row, piece)).collect()
}

/// The text of some cells; none when they are blank.
fn text(row: u16, cells: &[(u16, &Cell)]) -> Option<String> {
    let written = |(_, cell): &(u16, &Cell)| !matches!(cell.contents(), "" | " ");
    let first = cells.iter().position(written)?;
    let last = cells.iter().rposition(written)?;
    let letters = cells[first..=last]
        .iter()
        .map(|(_, cell)| match cell.contents() {
            "" => " ",
            "&" => "&amp;",
            "<" => "&lt;",
            letter => letter,
        });
    let letters: String = letters.collect();
    let (column, cell) = cells[first];
    let (x, y) = place(row, column);
    let (y, length, look) = (y + BASELINE, (last + 1 - first) * CELL.0, look(cell));
    Some(format!(
        "<text xml:space='preserve' x='{x}' y='{y}' textLength='{length}'{look}>{letters}</text>\n"
    ))
}

/// The attributes for a cell's colour and weight, as far as there has been any use for them.
fn look(cell: &Cell) -> String {
    let is_plain = cell.bgcolor() == Color::Default
        && !(cell.dim() || cell.italic() || cell.underline() || cell.inverse() || cell.is_wide());
    let colour = match cell.fgcolor() {
        Color::Default if is_plain => "",
        Color::Idx(2) if is_plain => " fill='#7ee787'",
        _ => panic!("nothing is drawn like this yet: {cell:?}"),
    };
    let weight = if cell.bold() {
        " font-weight='bold'"
    } else {
        ""
    };
    format!("{colour}{weight}")
}

fn cursor(screen: &Screen) -> String {
    let (row, column) = screen.cursor_position();
    let (x, y) = place(row, column);
    let (width, height) = CELL;
    format!("<rect x='{x}' y='{y}' width='{width}' height='{height}' opacity='.6'/>\n")
}

/// The upper left corner of a cell.
fn place(row: u16, column: u16) -> (usize, usize) {
    (
        MARGIN + usize::from(column) * CELL.0,
        TITLE_BAR + usize::from(row) * CELL.1,
    )
}
