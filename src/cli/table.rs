//! Columns for people.

use std::io::{self, Write};

/// Rows of text that are printed in aligned columns, two spaces apart.
#[derive(Debug)]
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with these column names.
    pub fn new(names: &[&str; N]) -> Self {
        Self {
            rows: vec![names.map(str::to_uppercase)],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Leaves out the last column when there is nothing in it: what only some configurations have.
    pub fn without_empty_last(mut self) -> Self {
        let mut cells = self.rows.iter().skip(1).filter_map(|row| row.last());
        if cells.all(String::is_empty) {
            let name = self.rows.first_mut().and_then(|names| names.last_mut());
            name.into_iter().for_each(String::clear);
        }
        self
    }

    /// Prints every row; the last column is not padded.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_column_without_anything_is_left_out() {
        for (cell, printed) in [("", "NAME\nx\n"), ("acme", "NAME  TENANTS\nx     acme\n")] {
            let mut table = Table::new(&["name", "tenants"]);
            table.row(["x".into(), cell.into()]);
            let mut out = Vec::new();
            table.without_empty_last().print(&mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), printed);
        }
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["name", "n"]);
        table.row(["longer than it".into(), "1".into()]);
        let mut out = Vec::new();
        table.print(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "NAME            N\nlonger than it  1\n"
        );
    }
}
