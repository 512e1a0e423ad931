//! JSON Lines: one report a line, each written out at once.

use super::ReportWriter;
use likeness_core::report::MatchReport;
use std::io::Write;

pub(super) struct Jsonl<W> {
    out: W,
}

impl<W: Write> Jsonl<W> {
    pub(super) fn new(out: W) -> Jsonl<W> {
        Jsonl { out }
    }
}

impl<W: Write> ReportWriter for Jsonl<W> {
    fn write(&mut self, report: &MatchReport) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(report)?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        Ok(self.out.flush()?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn every_line_keeps_the_contract() {
        let schema = include_str!("../../../../contract/match-report.schema.json");
        let schema = serde_json::from_str(schema).unwrap();
        let contract = jsonschema::validator_for(&schema).unwrap();
        let reports = [samples::matched(), samples::unmatched(), samples::failed()];
        let mut out = Vec::new();
        let mut writer = Jsonl::new(&mut out);
        for report in &reports {
            writer.write(report).unwrap();
        }
        let lines: Vec<&str> = std::str::from_utf8(&out).unwrap().lines().collect();
        assert_eq!(lines.len(), reports.len());
        for (line, report) in lines.iter().zip(&reports) {
            let value = serde_json::from_str(line).unwrap();
            assert!(contract.validate(&value).is_ok(), "{line}");
            assert_eq!(
                &serde_json::from_value::<MatchReport>(value).unwrap(),
                report
            );
        }
    }
}
