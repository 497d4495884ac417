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

/// The first eight colours of a terminal.
const PALETTE: [&str; 8] = [
    "#768390", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#76e3ea", "#ffffff",
];

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
            let class = if end == self.0.len() {
                " class='last'"
            } else {
                ""
            };
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
        let has = |frame: usize, element| self.0[frame].0.contains(element);
        for (begin, (elements, _)) in self.0.iter().enumerate() {
            let new = elements
                .iter()
                .filter(|it| begin == 0 || !has(begin - 1, *it));
            for element in new {
                let end = (begin..self.0.len()).find(|frame| !has(*frame, element));
                let end = end.unwrap_or(self.0.len());
                groups
                    .entry((begin, end))
                    .or_default()
                    .push(element.as_str());
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
        self.0[..frames]
            .iter()
            .map(|(_, milliseconds)| milliseconds)
            .sum()
    }
}

/// What is written in a row, in pieces of one look.
fn texts(screen: &Screen, row: u16) -> Vec<String> {
    let (_, columns) = screen.size();
    let cells = (0..columns.get()).map(|column| (column, screen.cell(row, column).unwrap()));
    let cells: Vec<(u16, &Cell)> = cells.collect();
    let pieces = cells.chunk_by(|(_, one), (_, next)| look(one) == look(next));
    pieces
        .filter_map(|piece| {
            let letters = piece.iter().map(|(_, cell)| {
                if cell.has_contents() {
                    cell.contents()
                } else {
                    " "
                }
            });
            let text: String = letters.collect();
            let indent = text.chars().take_while(|letter| *letter == ' ').count();
            let (x, y) = place(row, piece[0].0);
            let text = text.trim();
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
            (!text.is_empty()).then(|| {
                format!(
                    "<text xml:space='preserve' x='{}' y='{}' textLength='{}'{}>{escaped}</text>\n",
                    x + indent * CELL.0,
                    y + BASELINE,
                    text.chars().count() * CELL.0,
                    look(piece[0].1)
                )
            })
        })
        .collect()
}

/// Colour and weight.
fn look(cell: &Cell) -> String {
    let more = cell.bgcolor() != Color::Default
        || cell.dim()
        || cell.italic()
        || cell.underline()
        || cell.inverse()
        || cell.is_wide();
    assert!(!more, "this cannot be drawn yet: {cell:?}");
    let colour = match cell.fgcolor() {
        Color::Default => String::new(),
        Color::Idx(index) => format!(" fill='{}'", PALETTE[usize::from(index)]),
        colour @ Color::Rgb(..) => panic!("this cannot be drawn yet: {colour:?}"),
    };
    let weight = if cell.bold() {
        " font-weight='bold'"
    } else {
        ""
    };
    colour + weight
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
