//! Records about a library: rows of named cells.

use super::plain_table;
use crate::args::Format;
use crate::text;
use serde_json::{Map, Value};
use std::io::Write;

/// A value, for programs and for people.
pub(crate) struct Cell {
    value: Value,
    text: String,
}

impl Cell {
    /// A value that people read as `text`.
    pub(crate) fn new(value: Value, text: String) -> Cell {
        Cell { value, text }
    }

    /// A value that is read the same by both.
    pub(crate) fn same(value: Value) -> Cell {
        let text = text::printable(&plain(&value)).into_owned();
        Cell { value, text }
    }
}

/// A value without the quotes of JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Writes a row of cells for each record.
pub(crate) fn records(
    format: Format,
    mut out: impl Write,
    names: &[&str],
    records: impl Iterator<Item = Vec<Cell>>,
) -> anyhow::Result<()> {
    match format {
        Format::Table => {
            let mut table = plain_table(names);
            table.add_rows(records.map(|row| row.into_iter().map(|cell| cell.text)));
            writeln!(out, "{}", table.trim_fmt())?;
        }
        Format::Jsonl => {
            for row in records {
                writeln!(out, "{}", object(names.iter().copied().zip(&row)))?;
            }
        }
        Format::Csv => {
            let mut out = csv::Writer::from_writer(&mut out);
            out.write_record(names)?;
            for row in records {
                out.write_record(row.iter().map(|cell| plain(&cell.value)))?;
            }
            out.flush()?;
        }
    }
    Ok(out.flush()?)
}

/// Writes one record: for people a line per cell, for programs as [`records`] does.
pub(crate) fn record(
    format: Format,
    mut out: impl Write,
    cells: &[(&str, Cell)],
) -> anyhow::Result<()> {
    let named = || cells.iter().map(|(name, cell)| (*name, cell));
    match format {
        Format::Table => {
            let width = named().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, cell) in named() {
                writeln!(out, "{:width$}  {}", name.replace('_', " "), cell.text)?;
            }
        }
        Format::Jsonl => writeln!(out, "{}", object(named()))?,
        Format::Csv => {
            let mut out = csv::Writer::from_writer(&mut out);
            out.write_record(named().map(|(name, _)| name))?;
            out.write_record(named().map(|(_, cell)| plain(&cell.value)))?;
            out.flush()?;
        }
    }
    Ok(out.flush()?)
}

fn object<'a>(cells: impl Iterator<Item = (&'a str, &'a Cell)>) -> Value {
    let entries = cells.map(|(name, cell)| (name.to_owned(), cell.value.clone()));
    Value::Object(entries.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_format_has_its_form() {
        let check = |format, want: &str| {
            let cells = vec![
                Cell::same(json!("a, b")),
                Cell::new(json!(61.5), "1:01.5".to_owned()),
            ];
            let mut out = Vec::new();
            records(format, &mut out, &["name", "length"], [cells].into_iter()).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), want);
        };
        check(Format::Jsonl, "{\"length\":61.5,\"name\":\"a, b\"}\n");
        check(Format::Csv, "name,length\n\"a, b\",61.5\n");
        let rule = "─".repeat(15);
        let table = format!("{rule}\n name   length\n{rule}\n a, b   1:01.5\n{rule}\n");
        check(Format::Table, &table);
    }
}
