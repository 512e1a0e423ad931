//! One HTML page that needs nothing else: tables, curves and the misses.

use super::bars::{self, bars};
use super::{
    COLUMNS, Column, DETECTION_COLUMNS, Results, classes_line, conditions, cost_lines, sections,
    told, variants_line,
};
use crate::ablate;
use crate::score::{RowScore, Scores};
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:90em;padding:0 1em}\
table{border-collapse:collapse}td,th{padding:.2em .6em;border-bottom:1px solid #ddd;text-align:right}\
td:first-child,th:first-child{text-align:left}tr.low td{background:#fdd}svg{margin:.5em}";

/// The whole report.
pub(crate) fn page(results: &Results) -> Result<String> {
    let scores = &results.scores;
    let name = escape(&results.suite.name);
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title><style>{STYLE}</style>\
         <h1>Suite {name}</h1><p>{}</p>",
        escape(&conditions(results))
    );
    rows(&mut page, scores);
    unrelated(&mut page, scores);
    table(&mut page, &bars::COLUMNS, &bars(scores));
    let _ = write!(page, "<p>{}", escape(&classes_line(scores)));
    if let Some(variants) = &scores.variants {
        let _ = write!(page, "<p>{}", variants_line(variants));
    }
    if let Some(ablation) = &results.ablation {
        table(&mut page, &ablate::COLUMNS, &ablation.rows);
        let _ = write!(page, "<p>{}", escape(&ablation.told()));
    }
    table(&mut page, &DETECTION_COLUMNS, &scores.detection_costs);
    for (family, points) in families(scores) {
        page.push_str(&curve(&family, &points)?);
    }
    if let Some(costs) = &results.costs {
        page.push_str("<h2>Cost</h2><ul>");
        for (what, value) in cost_lines(costs) {
            let _ = write!(page, "<li>{}: {}", escape(&what), escape(&value));
        }
        page.push_str("</ul>");
    }
    for (title, findings) in sections(scores) {
        if !findings.is_empty() {
            let _ = write!(page, "<h2>{title}</h2><ul>");
            for finding in findings {
                // Relative to the run's folder, where the page lies.
                let query = escape(&finding.query);
                let told = escape(&told(finding));
                let _ = write!(page, "<li><a href=\"queries/{query}\">{query}</a>{told}");
            }
            page.push_str("</ul>");
        }
    }
    Ok(page)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

fn rows(page: &mut String, scores: &Scores) {
    page.push_str("<table><tr>");
    for (title, _) in COLUMNS {
        let _ = write!(page, "<th>{title}");
    }
    for row in &scores.rows {
        let low = row.bar.is_some_and(|bar| row.recall < bar);
        page.push_str(if low { "<tr class=low>" } else { "<tr>" });
        for (_, cell) in COLUMNS {
            let _ = write!(page, "<td>{}", escape(&cell(row)));
        }
    }
    let _ = write!(
        page,
        "</table><p>Errors are medians over the copies found. micro-AP {:.3}.",
        scores.micro_average_precision
    );
}

/// A table; nothing when it has no rows.
fn table<Row>(page: &mut String, columns: &[Column<Row>], rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    page.push_str("<table><tr>");
    for (title, _) in columns {
        let _ = write!(page, "<th>{title}");
    }
    for row in rows {
        page.push_str("<tr>");
        for (_, cell) in columns {
            let _ = write!(page, "<td>{}", escape(&cell(row)));
        }
    }
    page.push_str("</table>");
}

fn unrelated(page: &mut String, scores: &Scores) {
    page.push_str("<table><tr><th>nothing to find<th>queries<th>accused<th>rate at most (95 %)");
    for row in &scores.unrelated {
        let _ = write!(
            page,
            "<tr><td>{}<td>{}<td>{}<td>{:.1} %",
            escape(&row.row),
            row.queries,
            row.accused,
            row.rate_high * 100.0
        );
    }
    page.push_str("</table>");
}

/// Rows of one family with at least two strengths, by strength.
fn families(scores: &Scores) -> BTreeMap<String, Vec<&RowScore>> {
    let mut families: BTreeMap<String, Vec<&RowScore>> = BTreeMap::new();
    for row in &scores.rows {
        if let (Some(family), Some(_)) = (&row.family, row.strength) {
            families.entry(family.clone()).or_default().push(row);
        }
    }
    families.retain(|_, rows| rows.len() > 1);
    for rows in families.values_mut() {
        rows.sort_by(|a, b| {
            a.strength
                .partial_cmp(&b.strength)
                .unwrap_or(std::cmp::Ordering::Equal)
        });
    }
    families
}

/// Recall against strength with its interval, as SVG.
fn curve(family: &str, rows: &[&RowScore]) -> Result<String> {
    let points: Vec<(f64, &RowScore)> = rows
        .iter()
        .filter_map(|row| Some((row.strength?, *row)))
        .collect();
    let least = points.first().map_or(0.0, |(x, _)| *x);
    let most = points.last().map_or(1.0, |(x, _)| *x);
    let margin = ((most - least) * 0.05).max(0.01);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (420, 260)).into_drawing_area();
        let fail = |error: &dyn std::fmt::Display| anyhow!("drawing {family}: {error}");
        area.fill(&WHITE).map_err(|e| fail(&e))?;
        let mut chart = ChartBuilder::on(&area)
            .caption(family, ("sans-serif", 15))
            .margin(8)
            .x_label_area_size(28)
            .y_label_area_size(36)
            .build_cartesian_2d(least - margin..most + margin, 0.0..1.02)
            .map_err(|e| fail(&e))?;
        chart.configure_mesh().draw().map_err(|e| fail(&e))?;
        let band = points.iter().map(|(x, row)| {
            PathElement::new(
                vec![(*x, row.recall_low), (*x, row.recall_high)],
                BLUE.mix(0.4),
            )
        });
        chart.draw_series(band).map_err(|e| fail(&e))?;
        let line = points.iter().map(|(x, row)| (*x, row.recall));
        chart
            .draw_series(LineSeries::new(line.clone(), &BLUE))
            .map_err(|e| fail(&e))?;
        let dots = line.map(|point| Circle::new(point, 3, BLUE.filled()));
        chart.draw_series(dots).map_err(|e| fail(&e))?;
        area.present().map_err(|e| fail(&e))?;
    }
    Ok(svg)
}
