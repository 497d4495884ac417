//! Questions at a terminal, asked by dialoguer on standard error: standard output is the product's.
//!
//! dialoguer counts lines where a terminal has rows, so what it would write after an answer is
//! written here: the answer takes the place of its question, and of the reasons for which earlier
//! answers were refused, in however many rows they were shown. A terminal that cannot move its
//! cursor (`TERM=dumb`), or is too small for that to be any use, gets plain lines.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use dialoguer::console::{Term, measure_text_width};
use dialoguer::{Confirm, Input, Select};
use zeroize::Zeroizing;

use super::interruption::Interruption;
use super::{Check, NoAnswer, Prompt};
use crate::domain::text::Plain;
use crate::x509::passphrase::Passphrase;

pub(super) struct Dialogue {
    terminal: Term,
    is_dumb: bool,
    interruption: Arc<Interruption>,
}

/// Fewer rows, or fewer columns, hold no question with its answer; dialoguer panics in 2 rows.
const SMALLEST: (u16, u16) = (6, 20);

impl Dialogue {
    pub(super) fn new(is_dumb: bool, interruption: Arc<Interruption>) -> Self {
        Self {
            terminal: Term::stderr(),
            is_dumb,
            interruption,
        }
    }
}

impl Prompt for Dialogue {
    fn text(
        &mut self,
        question: &str,
        default: &str,
        check: Check<'_>,
    ) -> Result<String, NoAnswer> {
        let prompt = match default {
            "" => question.to_owned(),
            default => format!("{question} [{default}]"),
        };
        let mut rows = 0;
        loop {
            let typed = self.line(&prompt)?;
            // dialoguer has cleared the row in which the answer ended.
            rows += self.rows(&format!("{prompt}: {typed}")) - 1;
            self.clear(rows)?;
            let answer = match typed.trim() {
                "" => default,
                typed => typed,
            };
            match check(answer) {
                Ok(()) => {
                    self.report(question, answer)?;
                    return Ok(answer.to_owned());
                }
                Err(reason) => rows = self.refuse(&reason)?,
            }
        }
    }

    fn choose(
        &mut self,
        question: &str,
        choices: &[&str],
        default: usize,
    ) -> Result<usize, NoAnswer> {
        let words: Vec<&str> = choices.iter().map(|choice| word(choice)).collect();
        if self.is_plain() {
            self.say(&(choices.join("\n") + "\n"))?;
            let answer = self.text(question, words[default], &one_of(&words))?;
            let chosen = words.iter().position(|word| *word == answer);
            return Ok(chosen.unwrap_or(default));
        }
        let select = Select::new().with_prompt(question).items(choices);
        let select = select.default(default).report(false);
        let chosen = self.ask(|| Ok(select.interact()?))?;
        let shown = choices.iter().map(|choice| format!("> {choice}"));
        let shown = shown.chain([format!("{question}:")]);
        self.clear(shown.map(|line| self.rows(&line) - 1).sum())?;
        self.report(question, words[chosen])?;
        Ok(chosen)
    }

    fn confirm(&mut self, question: &str, default: bool) -> Result<bool, NoAnswer> {
        let shown = |yes| if yes { "yes" } else { "no" };
        if self.is_plain() {
            let check = one_of(&["yes", "y", "no", "n"]);
            let answer = self.text(question, shown(default), &check)?;
            return Ok(answer.starts_with('y'));
        }
        let confirm = Confirm::new().with_prompt(question).default(default);
        let answer = self.ask(|| Ok(confirm.report(false).interact()?))?;
        self.clear(self.rows(&format!("{question} [y/n] ")) - 1)?;
        self.write(&format!("{question} {}\n", shown(answer)))?;
        Ok(answer)
    }

    fn new_passphrase(&mut self, question: &str) -> Result<Passphrase, NoAnswer> {
        let mut rows = 0;
        loop {
            let once = self.hidden(question, &mut rows)?;
            let refused = match Passphrase::new(once.clone()) {
                Err(_) => "it is empty",
                Ok(passphrase) => {
                    if self.hidden("Once more", &mut rows)? == once {
                        self.clear(rows)?;
                        self.report(question, "[hidden]")?;
                        return Ok(passphrase);
                    }
                    "the two differ"
                }
            };
            self.clear(rows)?;
            rows = self.refuse(refused)?;
        }
    }

    fn passphrase(&mut self, question: &str) -> Result<Passphrase, NoAnswer> {
        let mut rows = 0;
        loop {
            let typed = self.hidden(question, &mut rows)?;
            self.clear(rows)?;
            match Passphrase::new(typed) {
                Ok(passphrase) => {
                    self.report(question, "[hidden]")?;
                    return Ok(passphrase);
                }
                Err(_) => rows = self.refuse("it is empty")?,
            }
        }
    }

    fn say(&mut self, text: &str) -> Result<(), NoAnswer> {
        self.write(&(wrapped(text, self.columns()).join("\n") + "\n"))
    }
}

impl Dialogue {
    fn is_plain(&self) -> bool {
        let (rows, columns) = self.terminal.size();
        self.is_dumb || rows < SMALLEST.0 || columns < SMALLEST.1
    }

    fn columns(&self) -> usize {
        usize::from(self.terminal.size().1).max(1)
    }

    /// A line as it was typed.
    fn line(&self, prompt: &str) -> Result<String, NoAnswer> {
        if self.is_plain() {
            self.write(&format!("{prompt}: "))?;
            return self.ask(|| {
                let mut line = String::new();
                match io::stdin().read_line(&mut line)? {
                    0 => {
                        io::Write::write_all(&mut io::stderr(), b"\n")?;
                        Err(ErrorKind::UnexpectedEof.into())
                    }
                    _ => Ok(line),
                }
            });
        }
        let input = Input::<String>::new().with_prompt(prompt);
        self.ask(|| Ok(input.allow_empty(true).report(false).interact_text()?))
    }

    /// A line that is not shown; adds the rows that the question takes to `rows`.
    fn hidden(&self, question: &str, rows: &mut usize) -> Result<Zeroizing<String>, NoAnswer> {
        let prompt = format!("{question}: ");
        self.write(&prompt)?;
        *rows += self.rows(&prompt);
        self.ask(|| self.terminal.read_secure_line().map(Zeroizing::new))
    }

    /// Asks, and lets a signal that comes meanwhile put the terminal right.
    fn ask<T>(&self, question: impl FnOnce() -> io::Result<T>) -> Result<T, NoAnswer> {
        let answer = self.interruption.while_asking(question);
        answer.map_err(|error| match error.kind() {
            ErrorKind::Interrupted | ErrorKind::UnexpectedEof => NoAnswer::Interrupted,
            _ => NoAnswer::Io(error),
        })
    }

    /// Shows why an answer will not do; returns how many rows that takes.
    fn refuse(&self, reason: &str) -> Result<usize, NoAnswer> {
        let lines = wrapped(&format!("error: {reason}"), self.columns());
        self.write(&(lines.join("\n") + "\n"))?;
        Ok(lines.iter().map(|line| self.rows(line)).sum())
    }

    /// Shows a question with its answer, which plain lines show already.
    fn report(&self, question: &str, answer: &str) -> Result<(), NoAnswer> {
        if self.is_plain() {
            return Ok(());
        }
        self.write(&format!("{question}: {}\n", Plain(answer)))
    }

    fn write(&self, text: &str) -> Result<(), NoAnswer> {
        io::Write::write_all(&mut io::stderr(), text.as_bytes()).map_err(NoAnswer::Io)
    }

    /// The rows that `text` takes; at least one.
    fn rows(&self, text: &str) -> usize {
        measure_text_width(text).max(1).div_ceil(self.columns())
    }

    /// Clears the rows above the cursor.
    fn clear(&self, rows: usize) -> Result<(), NoAnswer> {
        if self.is_plain() {
            return Ok(());
        }
        self.terminal.clear_last_lines(rows).map_err(NoAnswer::Io)
    }
}

/// The word that stands for a choice: what is before its colon.
fn word(choice: &str) -> &str {
    choice.split(':').next().unwrap_or(choice)
}

fn one_of<'a>(words: &'a [&str]) -> impl Fn(&str) -> Result<(), String> + 'a {
    move |answer| {
        if words.contains(&answer) {
            Ok(())
        } else {
            Err(format!("it is one of: {}", words.join(", ")))
        }
    }
}

/// `text` in lines of at most so many columns, broken at spaces.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut words = paragraph.split(' ');
        let mut line = words.next().unwrap_or_default().to_owned();
        for word in words {
            if measure_text_width(&line) + 1 + measure_text_width(word) > columns {
                lines.push(std::mem::take(&mut line));
            } else {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("one\ntwo three", 80), ["one", "two three"]);
    }

    #[test]
    fn a_word_longer_than_the_line_stays_whole() {
        assert_eq!(
            wrapped("a `server1.prod.internal` b", 10),
            ["a", "`server1.prod.internal`", "b"]
        );
    }

    #[test]
    fn empty_lines_and_columns_stay() {
        assert_eq!(wrapped("\n  one  two\n", 10), ["", "  one  two"]);
    }
}
